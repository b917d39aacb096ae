"""`tocsin status`: what waits, what is left of the budget, and what does not work."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tocsin.cli.durations import about
from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.relay import SourceStatus, Status, TargetStatus, is_running, open_outbox, status_of
from tocsin.signals import to_ms


def status_command(
    config: ConfigOption = DEFAULT_CONFIG,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where something does not work.")] = False,
) -> None:
    """
    Say how a relay is doing, whether it runs or not.

    With --check it ends with 1 unless the relay runs, no target is paused and no source is stopped.
    """
    from tocsin.cli.relay_file import load_relay_file

    file = load_relay_file(config)
    state = Path(file.state)
    running = state.is_dir() and is_running(state)
    if file.journal is not None:
        from tocsin.cli.fleet_status import fleet_lines, fleet_status

        found = fleet_status(file, file.journal, running=running)
        works, lines = found.works, fleet_lines(found)
        encoded = msgspec.json.encode(found)
    else:
        with closing(open_outbox(state)) as outbox:
            status = status_of(outbox, running=running, now_ms=to_ms(datetime.now(UTC)))
        works, lines = status.works, status_lines(status)
        encoded = msgspec.json.encode(status)
    typer.echo(encoded.decode() if json else "\n".join(lines))
    if check and not works:
        raise typer.Exit(1)


def status_lines(status: Status, *, of_worker: bool = False) -> Iterator[str]:
    """For a person. A worker keeps a quarantine for each target, and has no one list."""
    does = "runs" if status.running else "does not run"
    yield f"the relay of {status.state} {does}; it holds something about {status.ips:,} IPs"
    for target in status.targets:
        yield from _target(target, running=status.running)
    for source in status.sources:
        yield from _source(source)
    if status.quarantined:
        shows = "says where" if of_worker else "shows them"
        yield f"quarantine: {status.quarantined:,} (`tocsin quarantine list` {shows})"


def _target(target: TargetStatus, *, running: bool) -> Iterator[str]:
    yield f"target {target.name}: {target.waiting:,} waiting, {target.delivered:,} delivered"
    for level, waiting in target.backlog.items():
        if waiting.count:
            name = level.replace("_", " ")
            yield f"  {name}: {waiting.count:,}, the first for {about(timedelta(seconds=waiting.oldest_s))}"
    if target.answered_s is not None:
        ago = about(timedelta(seconds=target.answered_s))
        yield f"  last answer {ago} ago: {target.answer}; {target.left} of {target.limit} requests left"
    if target.paused:
        remedy = f"; {target.remedy}" if target.remedy else ""
        again = f"; tried again in {about(timedelta(seconds=target.again_s))}" if running else ""
        yield f"  paused: {target.paused}{remedy}{again}"


def _source(source: SourceStatus) -> Iterator[str]:
    heard = "nothing yet"
    if source.heard_s is not None:
        heard = f"last heard {about(timedelta(seconds=source.heard_s))} ago"
    lag = "" if source.lag_s is None else f", newest observation {about(timedelta(seconds=source.lag_s))} old"
    skipped = sum(source.skipped.values())
    yield f"source {source.name}: {source.taken:,} taken, {skipped:,} skipped; {heard}{lag}"
    if source.unkept:
        yield f"  {source.unkept:,} broken records were only counted: quarantine holds enough like them"
    if source.stopped:
        yield f"  stopped: {source.stopped}"
