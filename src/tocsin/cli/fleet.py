"""`tocsin fleet`: set up and look after the NATS servers and the orgs of a fleet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.bar import bar
from tocsin.cli.config import ConfigError, load_config
from tocsin.cli.logs import configure_logging
from tocsin.cli.waiting import telling_of
from tocsin.okta.settings import checked_host

if TYPE_CHECKING:  # imported by the functions that need them: what speaks to NATS is an extra
    from tocsin.journal.jetstream import JetStreamConnection
    from tocsin.org.fleet.registered import Registered
    from tocsin.org.fleet.settings import NodeSettings

app = typer.Typer(help="The NATS servers and the orgs of a fleet.", no_args_is_help=True)
orgs = typer.Typer(help="The orgs of a fleet.", no_args_is_help=True)
app.add_typer(orgs, name="org")

_DEFAULT_DIR = Path("fleet")
_DirOption = Annotated[
    Path, typer.Option("--fleet", metavar="DIR", help="What `tocsin fleet init` made.", show_default="./fleet")
]
_Name = Annotated[str, typer.Argument(help="1 to 63 of a-z, 0-9 and -.")]


@app.callback()
def fleet() -> None:
    """The NATS servers and the orgs of a fleet."""
    configure_logging()


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files of the fleet are, or will be.")],
    servers: Annotated[
        str | None, typer.Option(metavar="tls://A,B,C", help="The servers, for the first time.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The workers' relay.toml: set up for its fleet.lease_s.", show_default=False),
    ] = None,
) -> None:
    """Write configs and keys for the servers into DIR; run again once they run, make streams and buckets."""
    from tocsin.cli.fleet_files import ADMIN, write_files
    from tocsin.journal.jetstream import JetStreamSettings, server_urls
    from tocsin.journal.jetstream.settings import check_settings

    if (folder / ADMIN).exists():
        if servers is not None:
            raise typer.BadParameter("the files of this fleet are there already; leave it out", param_hint="--servers")
        for done in asyncio.run(_make(folder, config)):
            typer.echo(done)
        typer.echo("the fleet is set up; `tocsin fleet org add NAME --url URL` adds an org")
        return
    if config is not None:
        raise typer.BadParameter("it counts once the servers run: leave it out until then", param_hint="--config")
    if servers is None:
        raise typer.BadParameter("name the servers of the new fleet", param_hint="--servers")
    urls = server_urls(servers)
    check_settings(JetStreamSettings(servers=urls))
    for made in write_files(folder, urls):
        typer.echo(f"{made}: start a server there: nats-server -c server.conf")
    if urls[0].startswith("tls://"):
        typer.echo(
            "  each needs its certificate, server.pem and server-key.pem, and the authority's, ca.pem, beside it"
        )
        typer.echo(f"  and {folder} the authority's, ca.pem")
    typer.echo(f"then run `tocsin fleet init {folder}` again, to make streams and buckets")


@app.command("check")
def check(
    folder: _DirOption = _DEFAULT_DIR,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read all that each server holds, and compare it: slow.")
    ] = False,
) -> None:
    """Check servers, streams and buckets, a line for each; exits 1 when something is wrong. Changes nothing."""
    from tocsin.cli.fleet_check import Line, look, look_at_copies

    bad = list[Line]()

    def tell(line: Line) -> None:
        typer.echo(line.text)
        if not line.well:
            bad.append(line)

    if asyncio.run(look(folder, tell)) and deep:
        with bar("comparing") as shown:
            asyncio.run(look_at_copies(folder, shown, tell))
    if bad:
        raise typer.Exit(1)


@orgs.command("add")
def add(
    name: _Name,
    url: Annotated[str, typer.Option(help="Where clients reach it; its host says whose a request is.")],
    folder: _DirOption = _DEFAULT_DIR,
) -> None:
    """Add an org. Nodes that run serve it within seconds."""
    asyncio.run(_add(folder, name, checked_host(url)))
    typer.echo(f"added {name}")


@orgs.command("list")
def list_orgs(folder: _DirOption = _DEFAULT_DIR) -> None:
    """Show the orgs there are, each with its URL."""
    for line in asyncio.run(_list(folder)):
        typer.echo(line)


@orgs.command("remove")
def remove(name: _Name, folder: _DirOption = _DEFAULT_DIR) -> None:
    """Serve an org no longer. What is in its journal stays, and is there when it is added again."""
    asyncio.run(_remove(folder, name))
    typer.echo(f"removed {name}")


async def _make(folder: Path, config: Path | None) -> list[str]:
    """Returns: what was done, a line for each."""
    from tocsin.cli.fleet_roles import declared_of_orgs, declared_of_relays
    from tocsin.cli.relay_file import RelayFile
    from tocsin.journal.jetstream.declared import make
    from tocsin.relay.fleet.set_lease import lease_of, set_lease

    wanted_s = load_config(config, RelayFile).of_fleet.lease_s if config is not None else None
    async with as_admin(folder) as (connection, settings), as_relay_admin(folder) as relays:
        is_changed = wanted_s is not None and await set_lease(relays, wanted_s)
        lease_s = wanted_s or await lease_of(relays)
        names = await make(connection, declared_of_orgs()) + await make(relays, declared_of_relays(lease_s))
        made = [f"made {name}" for name in names]
        if is_changed:
            made.append(f"the lease of relay workers is {lease_s:g} s now")
        async with _registered(connection) as registered:
            from tocsin.org.fleet.fleet import secret_of

            await registered.found(secret_of(settings))
        return made


async def _add(folder: Path, name: str, url: str) -> None:
    from tocsin.journal.jetstream import FleetClock
    from tocsin.org.fleet.fleet import secret_of

    async with as_admin(folder) as (connection, settings), _registered(connection) as registered:
        await registered.check(secret_of(settings))
        clock = await FleetClock.start(connection)
        try:
            await registered.add(name, url, at_ms=int(clock() * 1000))
        finally:
            await clock.close()


async def _list(folder: Path) -> list[str]:
    async with as_admin(folder) as (connection, _), _registered(connection) as registered:
        table = await registered.all()
        served = [f"{name}\t{org.url}" for name, org in table.orgs.items()]
        return [*served, *(f"{error.summary} - {error.hint}" for error in table.not_understood.values())]


async def _remove(folder: Path, name: str) -> None:
    async with as_admin(folder) as (connection, _), _registered(connection) as registered:
        await registered.remove(name)


@asynccontextmanager
async def as_admin(folder: Path) -> AsyncIterator[tuple["JetStreamConnection", "NodeSettings"]]:
    """A connection of the role that sets up, saying whom it asks. Raises ConfigError, JournalError."""
    from tocsin.cli import fleet_files
    from tocsin.org.fleet.roles import ADMIN

    settings = told(folder, fleet_files.ADMIN)
    with telling_of(settings):
        async with connected_as(ADMIN, settings) as connection:
            yield connection, settings


@asynccontextmanager
async def as_relay_admin(folder: Path) -> AsyncIterator["JetStreamConnection"]:
    """A connection of the role that sets up what relay workers share. Raises ConfigError, JournalError."""
    from tocsin.cli import fleet_files
    from tocsin.cli.fleet_roles import RELAY_ADMIN

    async with connected_as(RELAY_ADMIN, told(folder, fleet_files.RELAY_ADMIN)) as connection:
        yield connection


@asynccontextmanager
async def connected_as(
    role: str, settings: "NodeSettings", *, jetstream: bool = True
) -> AsyncIterator["JetStreamConnection"]:
    """The connection alone. Raises JournalError."""
    from tocsin.journal.jetstream import JetStreamConnection

    connection = await JetStreamConnection.open(settings, role=role, jetstream=jetstream)
    try:
        yield connection
    finally:
        await connection.close()


def told(folder: Path, name: str) -> "NodeSettings":
    """What the file `name` of the fleet's folder says. Raises ConfigError."""
    from tocsin.org.fleet.config import JournalFile
    from tocsin.org.fleet.settings import placed

    if not (folder / name).exists():
        raise ConfigError(f"{folder} holds no fleet", hint="name what `tocsin fleet init` made with --fleet")
    return placed(load_config(folder / name, JournalFile).journal, folder)


@asynccontextmanager
async def _registered(connection: "JetStreamConnection") -> AsyncIterator["Registered"]:
    from tocsin.journal.jetstream import JetStreamKeyValue
    from tocsin.org.fleet.declared import ORGS_BUCKET
    from tocsin.org.fleet.registered import Registered

    table = await JetStreamKeyValue.open(connection, ORGS_BUCKET)
    try:
        yield Registered(table)
    finally:
        await table.close()
