"""The `tocsin` command: wires the commands together and turns errors into one line and a hint."""

import sys
from typing import Annotated

import typer

from tocsin import __version__
from tocsin.cli import bouncer, fleet, quarantine, relay, token
from tocsin.cli.check import check_command
from tocsin.cli.demo import demo
from tocsin.cli.explain import explain
from tocsin.cli.formats import formats
from tocsin.cli.map import map_command
from tocsin.cli.send import send
from tocsin.cli.serve import serve_command
from tocsin.cli.status import status_command
from tocsin.cli.upkeep import backup_command, doctor_command, rebuild_command, restore_command
from tocsin.errors import TocsinError


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tocsin {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="tocsin",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def tocsin(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Both ends of the IP risk-event pipe: an org that decides, a relay that fills it, look-ups."""


app.command()(demo)
app.command()(send)
app.add_typer(relay.app, name="relay")
app.command("status")(status_command)
app.command()(explain)
app.command("map")(map_command)
app.command()(formats)
app.command("serve")(serve_command)
app.command("check")(check_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("rebuild")(rebuild_command)
app.command("doctor")(doctor_command)
app.add_typer(token.app, name="token")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(bouncer.app, name="bouncer")
app.add_typer(fleet.app, name="fleet")


def run() -> None:
    """Run one command. Exits 0 on success, 1 on an error a person can mend, 2 on wrong usage."""
    try:
        app()
    except TocsinError as error:
        print(f"tocsin: {error.summary}", file=sys.stderr)  # noqa: T201
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
