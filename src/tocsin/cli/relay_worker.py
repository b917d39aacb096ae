"""`tocsin relay` with a table `[journal]`: one worker of a fleet, for as long as it runs."""

import sys
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import typer

from tocsin.cli.guards import keep_guards
from tocsin.cli.relay import RequestLog, stop_signals
from tocsin.cli.relay_file import RelayFile
from tocsin.cli.waiting import telling_of
from tocsin.descriptors import make_room_for
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay import Guards, only_relay
from tocsin.relay.feeding import until_one_ends
from tocsin.relay.fleet import DESCRIPTORS_PER_TARGET, Serving, SharedStream, Stores, Worker
from tocsin.relay.fleet.opening import open_stores
from tocsin.relay.fleet.turns import TURNS_AT_ONCE, Turns
from tocsin.relay.fleet.worker_name import worker_name

if TYPE_CHECKING:
    from tocsin.sources import Source


async def run_worker(file: RelayFile, settings: JetStreamSettings, sources: "list[Source]", guards: Guards) -> None:
    """Take part in the fleet until the process is asked to stop. Raises TocsinError."""
    stopped = stop_signals()
    _make_room(len(file.targets))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(only_relay(Path(file.state)))
        with telling_of(settings):
            stores = await stack.enter_async_context(open_stores(settings, file.of_fleet))
        name = worker_name(Path(file.state))
        stream = SharedStream(stores.signals, Turns(TURNS_AT_ONCE))
        serving = Serving(file.relay, file.of_fleet, stores, stream, watcher=RequestLog(), guards=guards)
        worker = _worker(name, file, serving, stores, sources)
        shared = f"{len(file.targets)} targets and {len(sources)} sources"
        typer.echo(f"Tocsin relay ready: worker {name} of a fleet that shares {shared} (state in {file.state})")
        sys.stdout.flush()
        log = structlog.get_logger("tocsin.relay")
        works: list[Coroutine[Any, Any, object]] = [
            worker.serve(stopped),
            stream.run(warn=lambda reason: log.warning("stream.cut_off", reason=reason)),
            keep_guards(serving, file.sources, guards),
        ]
        if file.metrics_port is not None:
            from tocsin.cli.relay_metrics import serve_metrics

            works.append(serve_metrics(serving, file.metrics_port))
        await until_one_ends(works)


def _make_room(targets: int) -> None:
    """For all of them: that so many fall to one worker is rare, and is when the others have died."""
    room = make_room_for(targets * DESCRIPTORS_PER_TARGET) // DESCRIPTORS_PER_TARGET
    if room < targets:
        log = structlog.get_logger("tocsin.relay")
        log.warning("worker.little_room", targets=targets, room=room, hint="raise the limit of open files (nofile)")


def _worker(name: str, file: RelayFile, serving: Serving, stores: Stores, sources: "list[Source]") -> Worker:
    return Worker(
        name,
        serving.works(sources),
        workers=stores.workers,
        owners=stores.owners,
        timing=file.of_fleet.timing,
        monotonic_s=_uptime_s,
        log=structlog.get_logger("tocsin.relay"),
    )


def _uptime_s() -> float:
    """A clock that goes on while the machine sleeps, where there is one: a lease does not wait for it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
