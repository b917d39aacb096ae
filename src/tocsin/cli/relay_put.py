"""`tocsin relay put`: hand what files say over to the workers of a fleet, durably, and account for it."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from tocsin.cli.config import load_config
from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.cli.progress import say
from tocsin.cli.reading_options import ReadingOptions, with_options
from tocsin.cli.waiting import telling_of
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay.fleet.config import FleetConfig
from tocsin.wall_clock import utc_now

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.intake import HowToRead, Intake
    from tocsin.signals import Batch

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

    def __post_init__(self) -> None:
        if self.journal is None:
            raise ValueError("journal: it says how to reach the fleet; a relay alone is given [sources] instead")


@with_options
def put_command(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="What detectors wrote; - is stdin.")],
    reading: ReadingOptions,
    config: ConfigOption = DEFAULT_CONFIG,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="What to call it, in place of the path of the one FILE.")
    ] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
) -> None:
    """
    Hand what FILEs say over to the workers of a fleet, for all its targets. All of it is durable when this ends well.

    A list that is read whole replaces what the same source said before.
    """
    if source and len(files) > 1:
        raise typer.BadParameter("names one FILE, and there are several", param_hint="--source")
    from tocsin.cli.intake import Intake, all_expired
    from tocsin.cli.send_report import broken_lines, file_lines, skipped_lines

    how, intake = reading.how(utc_now()), Intake()
    paths = [file if file == _STDIN else str(Path(file).absolute()) for file in files]
    file = load_config(config, PutFile)
    os.chdir(config.absolute().parent)
    # The thread that reads a silent pipe ends with the process alone, and there is nothing to clean up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(_hand_over(file, intake, paths, how, source))
    for line in broken_lines(intake):
        say(line)
    accounts = [msgspec.json.encode(account.as_json()).decode() for account in intake.files]
    typer.echo("\n".join(accounts if json_ else [*file_lines(intake), *skipped_lines(intake)]))
    if expired := all_expired(intake, how):
        raise expired
    if intake.broken:
        raise typer.Exit(1)


async def _hand_over(file: PutFile, intake: "Intake", paths: Sequence[str], how: "HowToRead", source: str) -> None:
    from tocsin.relay.fleet.opening import open_detector

    assert file.journal is not None
    async with AsyncExitStack() as stack:
        with telling_of(file.journal):
            detector = await stack.enter_async_context(open_detector(file.journal, file.fleet))
        batches = intake.batches(paths, how)
        # In a thread: a pipe may be silent for long, and the servers want to hear from us.
        while (batch := await asyncio.to_thread(_next, batches)) is not None:
            await detector.put(replace(batch, source=source) if source else batch)


def _next(batches: "Iterator[Batch]") -> "Batch | None":
    return next(batches, None)
