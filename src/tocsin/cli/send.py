"""`tocsin send`: read lists, tell an org the most dangerous first, as fast as its limit allows, and account for it."""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, NoReturn

import msgspec
import typer

from tocsin.cli.credentials import read_token
from tocsin.cli.intake import AllExpired, HowToRead, Intake, take_in
from tocsin.cli.options import TokenFileOption
from tocsin.cli.progress import say, shown
from tocsin.cli.send_report import Report, as_json, file_lines, lines, plan_line, skipped_lines
from tocsin.errors import TocsinError
from tocsin.relay import Sender, Tally, TargetPaused, Window, coalesce, okta_target
from tocsin.signals import Signal, SkipReason, parse_timestamp
from tocsin.sources import format_named


def send(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Lists to send, plain or gzip; - is stdin.")],
    to: Annotated[str, typer.Option(metavar="URL", help="The org, such as https://acme.okta.com.")] = "",
    token_file: TokenFileOption = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Format of the files; else found by content.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="now|TIME", help="When the lists were observed, in place of their own date.")
    ] = None,
    allow_non_global: Annotated[
        bool, typer.Option("--allow-non-global", help="Also send private, loopback and documentation addresses.")
    ] = False,
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
    how = HowToRead(
        now=now,
        as_of=_moment(as_of, now),
        form=format_named(form) if form else None,
        allow_non_global=allow_non_global,
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


def _moment(text: str | None, now: datetime) -> datetime | None:
    if text is None or text == "now":
        return now if text else None
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or the word now", param_hint="--as-of") from None


def _tell_broken(intake: Intake) -> None:
    for line in intake.first_broken:
        say(line)
    if more := intake.broken - len(intake.first_broken):
        say(f"and {more:,} more broken lines")
