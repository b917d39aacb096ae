"""`tocsin send`: read lists, tell an org the most dangerous first, as fast as its limit allows, and account for it."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from tocsin.cli.credentials import read_token
from tocsin.cli.intake import HowToRead, Intake, all_expired
from tocsin.cli.options import TokenFileOption
from tocsin.cli.progress import say, shown
from tocsin.cli.reading_options import ReadingOptions, with_options
from tocsin.cli.send_report import (
    INTERRUPTED,
    Report,
    as_json,
    broken_lines,
    file_lines,
    lines,
    plan_line,
    skipped_lines,
    subjects_of,
)
from tocsin.cli.send_state import ORG, Order, forget
from tocsin.errors import TocsinError
from tocsin.relay import Kind, Refusal, Relay, Staging, Tally, TargetPaused, Window, work_for
from tocsin.signals import to_ms
from tocsin.sources import SourceError
from tocsin.wall_clock import utc_now


@with_options
def send(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="What detectors wrote; - is stdin.")],
    reading: ReadingOptions,
    to: Annotated[str, typer.Option(metavar="URL", help="The org, such as https://acme.okta.com.")] = "",
    token_file: TokenFileOption = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Remember here what was sent, and next time send only what has changed."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON; with --dry-run a line for each file.")
    ] = False,
) -> None:
    """Send lists of dangerous IPs to an org: the worst first, 1,000 per request, inside its rate limit."""
    if not to and not dry_run:
        raise typer.BadParameter("is needed, unless with --dry-run", param_hint="--to")
    if not dry_run:
        read_token(token_file)  # to say what is missing before anything is read
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a supervisor: the same account as on Ctrl-C
    how = reading.how(utc_now())
    order, only_count = Order(to, tuple(files), reading), dry_run and json_
    with Staging() as staging:
        intake = _read(order.files, how, None if only_count else staging, refuse=not dry_run)
        if dry_run:
            _dry_run(intake, how, staging, order, json_)
        run = _Run(intake, to, as_json=json_)
        _deliver(run, staging, order, token_file, state)
    report = run.tell()
    if expired := all_expired(intake, how):
        raise expired
    if not report.clean:
        raise typer.Exit(1)


def _read(files: Sequence[str], how: HowToRead, staging: Staging | None, *, refuse: bool) -> Intake:
    """Every file to its end, before anything is sent: the most dangerous record may be the last."""
    intake = Intake()
    try:
        with shown(transient=True) as watcher:
            for batch in intake.batches(files, how, refuse=refuse):
                if staging is not None:
                    staging.add(batch)
                watcher.reads(batch.source, intake.files[-1].records)
    except SourceError as error:
        others = ", of the other files neither" if len(files) > 1 else ""
        raise SourceError(f"{error}; nothing was sent{others}", hint=error.hint) from None
    for line in broken_lines(intake):
        say(line)
    return intake


def _dry_run(intake: Intake, how: HowToRead, staging: Staging, order: Order, as_json: bool) -> NoReturn:
    """Exits with 1 where a person must look: what was broken or not read. That all has expired is an answer."""
    if as_json:
        typer.echo("\n".join(msgspec.json.encode(account.as_json()).decode() for account in intake.files))
    else:
        typer.echo("\n".join(_plan(intake, how, staging, order)))
    if not intake.signals and (expired := all_expired(intake, how)):
        say(f"{expired.summary}\n  hint: {expired.hint}")
    raise typer.Exit(1 if intake.broken or intake.refused else 0)


def _plan(intake: Intake, how: HowToRead, staging: Staging, order: Order) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        config = order.config(Path(folder), None)
        backlog = work_for(Path(folder) / "outbox", config, staging, now_ms=to_ms(how.now))
    return [*file_lines(intake), plan_line(backlog, Window(), now=how.now), *skipped_lines(intake)]


class _Run:
    """One delivery, which ends with its whole account, whatever happens."""

    def __init__(self, intake: Intake, to: str, *, as_json: bool) -> None:
        self.intake, self.to, self.tally = intake, to, Tally()
        self.subjects = self.left = 0
        self.quarantined: Sequence[Refusal] = ()
        self.kept_in: Path | None = None
        self._as_json = as_json
        self._started = time.monotonic()

    def tell(self, *, stopped: str | None = None) -> Report:
        """Print the account to standard output."""
        took = timedelta(seconds=time.monotonic() - self._started)
        report = Report(
            self.intake,
            self.tally,
            self.to,
            took,
            self.subjects,
            self.left,
            stopped=stopped,
            quarantined=self.quarantined,
            kept_in=self.kept_in,
        )
        text = msgspec.json.encode(as_json(report)).decode() if self._as_json else "\n".join(lines(report))
        typer.echo(text)
        return report


def _deliver(run: _Run, staging: Staging, order: Order, token_file: Path | None, state: Path | None) -> None:
    run.kept_in = state or order.folder
    try:
        if run.kept_in is not None:
            asyncio.run(_delivery(run, staging, order, token_file, run.kept_in))
        else:
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(_delivery(run, staging, order, token_file, Path(folder)))
    except TocsinError as stop:
        run.tell(stopped=stop.reason if isinstance(stop, TargetPaused) else str(stop))
        raise
    except (asyncio.CancelledError, KeyboardInterrupt):
        run.tell(stopped=INTERRUPTED)
        raise typer.Exit(130) from None
    if order.folder is not None and state is None and not run.quarantined:
        asyncio.run(forget(order.folder))


async def _delivery(run: _Run, staging: Staging, order: Order, token_file: Path | None, folder: Path) -> None:
    _stop_once()
    with shown() as watcher:
        async with Relay(order.config(folder, token_file), patient=False, hold=True, watcher=watcher) as relay:
            run.tally, run.to = relay.senders[ORG].tally, relay.senders[ORG].to
            await relay.take_in(staging)
            backlog = await relay.backlog(ORG)
            run.subjects = run.left = watcher.subjects = subjects_of(backlog)
            say(plan_line(backlog, Window(), now=datetime.now(UTC)))
            relay.release()
            try:
                await relay.drained()
            finally:
                run.left = subjects_of(await relay.backlog(ORG))
                run.quarantined = [one for one in await relay.quarantined() if one.kind is Kind.SUBJECT]


def _stop_once() -> None:
    """Let a signal end this task in order; a second one, which supervisors send right after it, changes nothing."""
    task = asyncio.current_task()

    def stop() -> None:
        if task is not None and not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
