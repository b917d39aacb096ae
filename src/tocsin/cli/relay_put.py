"""`tocsin relay put`: hand what files say over to the workers of a fleet, durably, and account for it."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from tocsin.cli.config import ConfigError, load_config
from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.cli.progress import say
from tocsin.cli.reading_options import ReadingOptions, with_options
from tocsin.cli.role_files import DETECTOR, RELAY, check_role
from tocsin.cli.waiting import telling_of
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.names import handed_over
from tocsin.wall_clock import utc_now

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.intake import HowToRead, Intake

_STDIN = "-"


class PutFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of a worker, or of a program that only hands signals over: what that needs of it."""

    journal: JetStreamSettings | None = None
    fleet: FleetConfig = FleetConfig()
    state: object = None
    """As the rest a worker's own, and not looked at."""
    targets: object = None
    sources: object = None
    metrics_port: object = None


@with_options
def put_command(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="What detectors wrote; - is stdin.")],
    reading: ReadingOptions,
    config: ConfigOption = DEFAULT_CONFIG,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="What to call the one FILE; else by machine and path.")
    ] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
) -> None:
    """
    Hand what FILEs say over to the workers of a fleet, for all its targets. All of it is durable when this ends well.

    A list that is read whole replaces what the same source said before.
    """
    if source and len(files) > 1:
        raise typer.BadParameter("names one FILE, and there are several", param_hint="--source")
    if not source and _STDIN in files:
        # With one name for all of them, the list of one machine would replace that of another.
        raise typer.BadParameter("is needed for standard input, which has no name", param_hint="--source")
    from tocsin.cli.intake import Intake, all_expired
    from tocsin.cli.send_report import broken_lines, file_lines, skipped_lines

    how, intake = reading.how(utc_now()), Intake()
    paths = [file if file == _STDIN else str(Path(file).absolute()) for file in files]
    file, journal = _file(config)
    os.chdir(config.absolute().parent)
    # The thread that reads a silent pipe ends with the process alone, and there is nothing to clean up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_hand_over(journal, file.fleet, intake, paths, how, source))
    for line in broken_lines(intake):
        say(line)
    if json_:
        accounts = [account.as_json() | {"source": source or _name_of(account.file)} for account in intake.files]
        typer.echo("\n".join(msgspec.json.encode(account).decode() for account in accounts))
    else:
        typer.echo("\n".join([*file_lines(intake), *skipped_lines(intake), *_handed_lines(intake, source)]))
    if expired := all_expired(intake, how):
        raise expired
    if intake.broken:
        raise typer.Exit(1)


def _file(path: Path) -> tuple[PutFile, JetStreamSettings]:
    check_role(path, DETECTOR, RELAY, hint="name detector-journal.toml, or the relay.toml of a worker")
    file = load_config(path, PutFile)
    if file.journal is None:
        hint = "give it a table [sources.NAME] with the path of the list; only workers of a fleet are handed anything"
        raise ConfigError(f"{path} has no table [journal]: it is that of a relay alone, or of none", hint=hint)
    return file, file.journal


async def _hand_over(
    journal: JetStreamSettings,
    fleet: FleetConfig,
    intake: "Intake",
    paths: Sequence[str],
    how: "HowToRead",
    source: str,
) -> None:
    from tocsin.relay.fleet.opening import open_detector

    async with AsyncExitStack() as stack:
        with telling_of(journal):
            detector = await stack.enter_async_context(open_detector(journal, fleet))
        batches = intake.batches(paths, how)
        # In a thread: a pipe may be silent for long, and the servers want to hear from us.
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await detector.put(replace(batch, source=source or _name_of(batch.source)))


def _name_of(file: str) -> str:
    """The same for the same file, however it is reached; not that of another machine's. Links stay: they move on."""
    return f"{socket.gethostname()}:{os.path.normpath(file)}"


def _handed_lines(intake: "Intake", source: str) -> Iterator[str]:
    for account in intake.files:
        name = handed_over(source or _name_of(account.file))
        instead = ", in place of what it said before" if account.whole else ""
        yield f"handed over to all targets of the fleet as source {name}: {account.signals:,} signals{instead}"
