"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA = Path("tocsin-data")
DataOption = Annotated[Path, typer.Option(help="The org's data folder.", show_default="./tocsin-data")]
OrgOption = Annotated[
    str | None,
    typer.Option("--org", metavar="NAME", help="Which org, in a node's folder with several.", show_default=False),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Holds the API token, unless TOCSIN_TOKEN is set.", show_default=False),
]
DEFAULT_CONFIG = Path("relay.toml")
ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The relay's configuration.", show_default="./relay.toml")
]
