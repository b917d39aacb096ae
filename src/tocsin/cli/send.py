"""`tocsin send`: read lists, tell an org the most dangerous first, as fast as its limit allows, and account for it."""

import asyncio
import signal
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from tocsin.cli.credentials import read_token
from tocsin.cli.intake import AllExpired, Intake, take_in
from tocsin.cli.options import TokenFileOption
from tocsin.cli.progress import say, shown
from tocsin.cli.reading_options import (
    AllowListOption,
    AsOfOption,
    FormatOption,
    MappingOption,
    NonGlobalOption,
    OwnOption,
    ProxyOption,
    TimeZoneOption,
    how_to_read,
)
from tocsin.cli.send_report import Report, as_json, file_lines, lines, plan_line, skipped_lines, subjects_of
from tocsin.cli.send_state import ORG, Order, forget
from tocsin.errors import TocsinError
from tocsin.relay import Relay, Tally, TargetPaused, Window, work_for
from tocsin.signals import SkipReason, to_ms


def send(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="What detectors wrote; - is stdin.")],
    to: Annotated[str, typer.Option(metavar="URL", help="The org, such as https://acme.okta.com.")] = "",
    token_file: TokenFileOption = None,
    form: FormatOption = None,
    mapping: MappingOption = None,
    as_of: AsOfOption = None,
    allow_non_global: NonGlobalOption = False,
    own: OwnOption = None,
    proxy: ProxyOption = None,
    allow_list: AllowListOption = None,
    timezone: TimeZoneOption = "UTC",
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
    now = datetime.now(UTC)
    how = how_to_read(
        form=form,
        mapping=mapping,
        as_of=as_of,
        allow_non_global=allow_non_global,
        own=own,
        proxy=proxy,
        allow_list=allow_list,
        timezone=timezone,
        now=now,
    )
    intake = take_in(files, how, refuse=not (dry_run and json_))
    _tell_broken(intake)
    order = Order(to, tuple(files), [as_of, form, str(mapping), own, proxy, allow_list, timezone])
    if dry_run:
        _dry_run(intake, order, json_, dated=as_of is not None)
    run = _Run(intake, to, as_json=json_)
    if intake.signals:
        _deliver(run, order, token_file, state)
    report = run.tell()
    _expect_some(intake, dated=as_of is not None)
    if not report.clean:
        raise typer.Exit(1)


def _dry_run(intake: Intake, order: Order, as_json: bool, *, dated: bool) -> NoReturn:
    now = datetime.now(UTC)
    if as_json:
        typer.echo("\n".join(msgspec.json.encode(account.as_json()).decode() for account in intake.files))
        raise typer.Exit(1 if intake.broken or intake.refused else 0)
    with tempfile.TemporaryDirectory() as folder:
        config = order.config(Path(folder), None)
        backlog = work_for(Path(folder) / "outbox", config, intake.batches, now_ms=to_ms(now))
    typer.echo("\n".join([*file_lines(intake), plan_line(backlog, Window(), now=now), *skipped_lines(intake)]))
    _expect_some(intake, dated=dated)
    raise typer.Exit(1 if intake.broken else 0)


def _expect_some(intake: Intake, *, dated: bool) -> None:
    if not intake.signals and (expired := intake.skipped[SkipReason.EXPIRED]):
        raise AllExpired(expired, dated=dated)


class _Run:
    """One delivery, which ends with its whole account, whatever happens."""

    def __init__(self, intake: Intake, to: str, *, as_json: bool) -> None:
        self.intake, self.to, self.tally = intake, to, Tally()
        self.subjects = self.left = 0
        self._as_json = as_json
        self._started = time.monotonic()

    def tell(self, *, stopped: str | None = None) -> Report:
        """Print the account to standard output."""
        took = timedelta(seconds=time.monotonic() - self._started)
        report = Report(self.intake, self.tally, self.to, took, self.subjects, self.left, stopped)
        text = msgspec.json.encode(as_json(report)).decode() if self._as_json else "\n".join(lines(report))
        typer.echo(text)
        return report


def _deliver(run: _Run, order: Order, token_file: Path | None, state: Path | None) -> None:
    folder = state or order.folder
    try:
        asyncio.run(_delivery(run, order, token_file, folder))
    except TocsinError as stop:
        run.tell(stopped=stop.reason if isinstance(stop, TargetPaused) else str(stop))
        raise
    except (asyncio.CancelledError, KeyboardInterrupt):
        run.tell(stopped="interrupted")
        raise typer.Exit(130) from None
    if state is None:
        forget(folder)


async def _delivery(run: _Run, order: Order, token_file: Path | None, folder: Path) -> None:
    _stop_once()
    with shown() as watcher:
        async with Relay(order.config(folder, token_file), patient=False, watcher=watcher) as relay:
            run.tally, run.to = relay.senders[ORG].tally, relay.senders[ORG].to
            await relay.put(*run.intake.batches)
            backlog = await relay.backlog(ORG)
            run.subjects = run.left = watcher.subjects = subjects_of(backlog)
            say(plan_line(backlog, Window(), now=datetime.now(UTC)))
            try:
                await relay.drained()
            finally:
                run.left = subjects_of(await relay.backlog(ORG))


def _stop_once() -> None:
    """Let a signal end this task in order; a second one, which supervisors send right after it, changes nothing."""
    task = asyncio.current_task()

    def stop() -> None:
        if task is not None and not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _tell_broken(intake: Intake) -> None:
    for line in intake.first_broken:
        say(line)
    if more := intake.broken - len(intake.first_broken):
        say(f"and {more:,} more broken lines")
