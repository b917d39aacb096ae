"""What a `tocsin send` did, for people and for machines. Every line read is in one of its counts."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from tocsin.cli.durations import about
from tocsin.cli.intake import Intake
from tocsin.relay import Tally, Window, requests_needed
from tocsin.signals import RiskLevel, Signal, SkipReason

REFUSED_SHOWN = 5
_TITLES = {
    SkipReason.BELOW_BANDS: "too weak by the source's own score",
    SkipReason.NOT_GLOBAL: "not an address on the Internet (--allow-non-global sends it)",
    SkipReason.EXPIRED: "expired",
    SkipReason.NOT_A_RECORD: "broken: not a record of the format",
    SkipReason.BAD_ADDRESS: "broken: not an IP address",
    SkipReason.BAD_LEVEL: "broken: not a risk level",
    SkipReason.BAD_MESSAGE: "broken: a message the API refuses",
    SkipReason.BAD_TIME: "broken: a time that cannot be",
}


class Report(Struct, frozen=True):
    """One run, over or broken off."""

    intake: Intake
    tally: Tally
    to: str
    took: timedelta
    stopped: str | None = None
    """Why it did not come to its end."""

    @property
    def clean(self) -> bool:
        """Whether there is nothing for a person to look at."""
        return not (self.intake.broken or self.tally.refused or self.tally.left or self.stopped)


def plan_line(signals: list[Signal], window: Window, *, now: datetime) -> str:
    """What is about to happen, and how long the budget makes it take."""
    if not signals:
        return "nothing to send"
    requests, levels = requests_needed(len(signals)), _levels(signals)
    of_level = ", ".join(f"{count:,} {level}" for level, count in levels.items())
    takes = about(window.time_for(requests, now=now))
    return f"{_ips(len(signals))} ({of_level}): {_requests(requests)} at {window.limit} a minute: {takes}"


def plan_json(intake: Intake, signals: list[Signal], window: Window, *, now: datetime) -> dict[str, Any]:
    """The same for a machine; `seconds` is the estimate."""
    requests = requests_needed(len(signals))
    return {
        "dry_run": True,
        "signals": len(intake.signals),
        "subjects": len(signals),
        "levels": _levels(signals),
        "requests": requests,
        "skipped": _skipped(intake),
        "seconds": window.time_for(requests, now=now).total_seconds(),
    }


def as_json(report: Report) -> dict[str, Any]:
    """The summary for a machine; `signals` were read, `subjects` are their distinct IPs."""
    tally = report.tally
    summary: dict[str, Any] = {
        "signals": len(report.intake.signals),
        "subjects": tally.subjects,
        "delivered": tally.delivered,
        "requests": tally.requests,
        "retries": tally.retries,
        "refused": len(tally.refused),
        "expired": len(tally.expired),
        "left": tally.left,
        "skipped": _skipped(report.intake),
        "seconds": round(report.took.total_seconds(), 3),
    }
    if report.stopped:
        summary["stopped"] = report.stopped
    return summary


def lines(report: Report) -> Iterator[str]:
    """The summary for a person."""
    tally = report.tally
    retries = f", {tally.retries:,} of them again" if tally.retries else ""
    seconds = f"{report.took.total_seconds():.1f} s"
    if not tally.requests:
        yield "nothing was sent"
    else:
        yield f"delivered {_ips(tally.delivered)} to {report.to} with {_requests(tally.requests)}{retries} in {seconds}"
    yield from skipped_lines(report.intake)
    if tally.expired:
        yield f"skipped {len(tally.expired):,}: expired while they waited for the budget"
    if tally.refused:
        yield f"refused {len(tally.refused):,}:"
    for refused in tally.refused[:REFUSED_SHOWN]:
        yield f"  {refused.signal.ip} {refused.signal.level}: {refused.reason}"
    if len(tally.refused) > REFUSED_SHOWN:
        yield f"  and {len(tally.refused) - REFUSED_SHOWN:,} more"
    if tally.left:
        yield f"not delivered {tally.left:,}: they are still in the files; sending again what the org has does no harm"
    if tally.in_flight:
        yield f"  {tally.in_flight:,} of them were on their way without an answer and may have arrived"


def skipped_lines(intake: Intake) -> Iterator[str]:
    """A line per reason, the most frequent first."""
    for reason, count in intake.skipped.most_common():
        yield f"skipped {count:,}: {_TITLES[reason]}"


def _ips(count: int) -> str:
    return f"{count:,} IP" if count == 1 else f"{count:,} IPs"


def _requests(count: int) -> str:
    return f"{count:,} request" if count == 1 else f"{count:,} requests"


def _levels(signals: list[Signal]) -> dict[str, int]:
    levels = Counter(signal.level for signal in signals)
    return {str(level): levels[level] for level in RiskLevel if levels[level]}


def _skipped(intake: Intake) -> dict[str, int]:
    return {str(reason): count for reason, count in sorted(intake.skipped.items())}
