"""`tocsin bouncer`: who may ask the org over the CrowdSec API."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.data_folder import NewOption, expect_org
from tocsin.cli.opened import opened_registry
from tocsin.cli.options import DEFAULT_DATA, DataOption, OrgOption

if TYPE_CHECKING:  # imported by the functions that need them
    from pathlib import Path


app = typer.Typer(help="The bouncers that may ask an org over the CrowdSec API.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="What to call it; each name is given once.")]


@app.callback()
def bouncers() -> None:
    """The bouncers that may ask an org over the CrowdSec API."""


@app.command("create")
def create(name: _Name, data: DataOption = DEFAULT_DATA, org: OrgOption = None, new: NewOption = False) -> None:
    """Make a bouncer and print its key, alone, once: only its hash is kept. Works while the org runs."""
    expect_org(data, new=new)
    typer.echo(asyncio.run(_create(name, data, org)))


@app.command("list")
def list_bouncers(data: DataOption = DEFAULT_DATA, org: OrgOption = None) -> None:
    """List the bouncers there are, oldest first: name, id, and when it was made."""
    for line in asyncio.run(_list(data, org)):
        typer.echo(line)


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="Its name.")], data: DataOption = DEFAULT_DATA, org: OrgOption = None
) -> None:
    """Let a bouncer's key open nothing any more. Works while the org runs."""
    asyncio.run(_delete(name, data, org))
    typer.echo(f"deleted {name}")


async def _create(name: str, data: "Path", org: str | None) -> str:
    from tocsin.org.records import local_deed

    async with opened_registry(data, org, create=True) as (_, registry):
        return await registry.bouncers.create(name, deed=local_deed(registry.now_ms))


async def _list(data: "Path", org: str | None) -> list[str]:
    from tocsin.signals import format_timestamp, from_ms

    async with opened_registry(data, org) as (_, registry):
        known = registry.bouncers.all()
        return [f"{one.name}\t{one.id}\t{format_timestamp(from_ms(one.created_ms))}" for one in known]


async def _delete(name: str, data: "Path", org: str | None) -> None:
    from tocsin.org.records import local_deed

    async with opened_registry(data, org) as (_, registry):
        await registry.bouncers.delete(name, deed=local_deed(registry.now_ms))
