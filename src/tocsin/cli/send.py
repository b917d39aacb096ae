"""`tocsin send`: read lists, tell an org the most dangerous first, as fast as its limit allows, and account for it."""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
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
from tocsin.cli.send_report import Report, as_json, file_lines, lines, plan_line, skipped_lines
from tocsin.errors import TocsinError
from tocsin.relay import Sender, Tally, TargetPaused, Window, coalesce, okta_target
from tocsin.signals import Signal, SkipReason


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON; with --dry-run a line for each file.")
    ] = False,
) -> None:
    """Send lists of dangerous IPs to an org: the worst first, 1,000 per request, inside its rate limit."""
    if not to and not dry_run:
        raise typer.BadParameter("is needed, unless with --dry-run", param_hint="--to")
    token = "" if dry_run else read_token(token_file)
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
    signals = coalesce(intake.signals)
    if dry_run:
        _dry_run(intake, signals, json_)
    run = _Run(intake, to, as_json=json_)
    if signals:
        say(plan_line(signals, Window(), now=now))
        _deliver(run, signals, token)
    report = run.tell()
    _expect_some(intake)
    if not report.clean:
        raise typer.Exit(1)


def _dry_run(intake: Intake, signals: list[Signal], as_json: bool) -> NoReturn:
    now = datetime.now(UTC)
    if as_json:
        typer.echo("\n".join(msgspec.json.encode(account.as_json()).decode() for account in intake.files))
        raise typer.Exit(1 if intake.broken or intake.refused else 0)
    typer.echo("\n".join([*file_lines(intake), plan_line(signals, Window(), now=now), *skipped_lines(intake)]))
    _expect_some(intake)
    raise typer.Exit(1 if intake.broken else 0)


def _expect_some(intake: Intake) -> None:
    if not intake.signals and (expired := intake.skipped[SkipReason.EXPIRED]):
        raise AllExpired(expired)


class _Run:
    """One delivery, which ends with its whole account, whatever happens."""

    def __init__(self, intake: Intake, to: str, *, as_json: bool) -> None:
        self.tally = Tally()
        self.to = to
        self._intake, self._as_json = intake, as_json
        self._started = time.monotonic()

    def tell(self, *, stopped: str | None = None) -> Report:
        """Print the account to standard output."""
        took = timedelta(seconds=time.monotonic() - self._started)
        report = Report(self._intake, self.tally, self.to, took, stopped)
        text = msgspec.json.encode(as_json(report)).decode() if self._as_json else "\n".join(lines(report))
        typer.echo(text)
        return report


def _deliver(run: _Run, signals: list[Signal], token: str) -> None:
    try:
        asyncio.run(_delivery(run, signals, token))
    except TocsinError as stop:
        run.tell(stopped=stop.reason if isinstance(stop, TargetPaused) else str(stop))
        raise
    except KeyboardInterrupt:
        run.tell(stopped="interrupted")
        raise typer.Exit(130) from None


async def _delivery(run: _Run, signals: list[Signal], token: str) -> None:
    async with okta_target(run.to, token) as target:
        run.to = target.name
        with shown(len(signals)) as watcher:
            sender = Sender(target, watcher=watcher)
            run.tally = sender.tally
            await sender.deliver(signals)


def _tell_broken(intake: Intake) -> None:
    for line in intake.first_broken:
        say(line)
    if more := intake.broken - len(intake.first_broken):
        say(f"and {more:,} more broken lines")
