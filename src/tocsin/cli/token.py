"""`tocsin token`: the API tokens of an org."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.data_folder import NewOption, expect_org
from tocsin.cli.opened import opened_registry
from tocsin.cli.options import DEFAULT_DATA, DataOption, OrgOption
from tocsin.org.records import Role

app = typer.Typer(help="The API tokens of an org.", no_args_is_help=True)


@app.callback()
def tokens() -> None:
    """The API tokens of an org."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What to call it; each name is given once.")],
    data: DataOption = DEFAULT_DATA,
    org: OrgOption = None,
    role: Annotated[Role, typer.Option(help="What its holder may do.")] = Role.SUPER_ADMIN,
    new: NewOption = False,
) -> None:
    """Make an API token and print it, alone, once: only its hash is kept. Works while the org runs."""
    expect_org(data, new=new)
    token = asyncio.run(make_token(name, data, role, org=org))
    typer.echo(token)


@app.command("list")
def list_tokens(data: DataOption = DEFAULT_DATA, org: OrgOption = None) -> None:
    """Show the API tokens there are, and when each was last used, to the minute. Works while the org runs."""
    rows = asyncio.run(_rows(data, org))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    data: DataOption = DEFAULT_DATA,
    org: OrgOption = None,
) -> None:
    """Revoke an API token: from now on it opens nothing. Works while the org runs."""
    asyncio.run(_revoke(name, data, org))
    typer.echo(f"revoked {name}")


async def _rows(data: Path, org: str | None) -> list[tuple[str, ...]]:
    """A head, and a row for each token. Raises OrgError or JournalError."""
    from tocsin.signals import format_timestamp, from_ms

    async with opened_registry(data, org) as (folder, registry):
        async with folder.backing.last_uses(folder) as uses:
            used = await uses.all()
        rows: list[tuple[str, ...]] = [("NAME", "ID", "ROLE", "CREATED", "LAST USED")]
        for token in registry.tokens.all():
            times = (token.created_ms, used.get(token.id))
            rows.append(
                (token.name, token.id, token.role, *(format_timestamp(from_ms(t)) if t else "never" for t in times))
            )
    return rows


async def _revoke(name: str, data: Path, org: str | None) -> None:
    """Raises OrgError or JournalError."""
    from tocsin.org.records import local_deed

    async with opened_registry(data, org) as (_, registry):
        await registry.tokens.revoke(name, deed=local_deed(registry.now_ms))


async def make_token(name: str, data: Path, role: Role, *, org: str | None = None) -> str:
    """A new API token for the org of `data`, which may run meanwhile. Raises OrgError or JournalError."""
    from tocsin.org.records import local_deed

    async with opened_registry(data, org, create=True) as (_, registry):
        return await registry.tokens.create(name, role, deed=local_deed(registry.now_ms))
