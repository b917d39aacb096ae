"""Whether a command may make an org's data folder: a typo in its name must not make an org that nobody asks."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.options import DEFAULT_DATA
from tocsin.errors import TocsinError

NewOption = Annotated[
    bool, typer.Option("--new", help="Make the data folder, though an org of nearly the same name is beside it.")
]


class NoSuchOrg(TocsinError):
    """There is no org in the folder that was named, and it may not be the one that was meant. Nothing was made."""


def expect_org(data: Path, *, new: bool) -> None:
    """
    Say so when a new data folder will be made; refuse where its name looks like a slip of the hand.

    Raises: NoSuchOrg, which names the org beside it that may have been meant, unless `new` says that none was.
    """
    if data.exists():
        return
    if not new and data != DEFAULT_DATA and (meant := _nearly(data)):
        raise NoSuchOrg(f"there is no org at {data}", hint=f"did you mean {meant}? --new makes one of that name")
    typer.echo(
        f"there is no data folder {data} yet: it is made now; `tocsin serve` makes a node's of a fleet", err=True
    )


def _nearly(data: Path) -> Path | None:
    near = get_close_matches(data.name, _orgs_in(data.parent), n=1, cutoff=0.8)
    return data.with_name(near[0]) if near and not _are_siblings(data.name, near[0]) else None


def _are_siblings(one: str, other: str) -> bool:
    """Whether two names differ as those of several orgs do: in their number, or in the last letter."""
    return one[:-1] == other[:-1] or re.sub(r"\d", "", one) == re.sub(r"\d", "", other)


def _orgs_in(folder: Path) -> list[str]:
    from tocsin.org.errors import OrgError
    from tocsin.org.marker import kind_of

    try:
        return [one.name for one in folder.iterdir() if kind_of(one)]
    except (OSError, OrgError):  # what cannot be looked into is said when it is used
        return []
