"""`tocsin token`: the API tokens of an org."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.options import DEFAULT_DATA, DataOption
from tocsin.org.records import Role

app = typer.Typer(help="The API tokens of an org.", no_args_is_help=True)


@app.callback()
def tokens() -> None:
    """The API tokens of an org."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call it; each name is given once.")],
    data: DataOption = DEFAULT_DATA,
    role: Annotated[Role, typer.Option(help="What its holder may do.")] = Role.SUPER_ADMIN,
) -> None:
    """Make an API token and print it, alone, once: only its hash is kept. Works while the org runs."""
    is_new = not data.exists()
    token = asyncio.run(make_token(name, data, role))
    if is_new:
        typer.echo(f"made a new data folder, {data}", err=True)
    typer.echo(token)


async def make_token(name: str, data: Path, role: Role) -> str:
    """A new API token for the org of `data`, which may run meanwhile. Raises OrgError or JournalError."""
    from tocsin.org.folder import DataFolder
    from tocsin.org.org import open_registry
    from tocsin.org.records import local_deed

    async with open_registry(DataFolder.open(data)) as registry:
        return await registry.tokens.create(name, role, deed=local_deed(int(time.time() * 1000)))
