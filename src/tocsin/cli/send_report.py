"""What a `tocsin send` did, for people and for machines. Every line read is in one of its counts."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from tocsin.cli.durations import about
from tocsin.cli.intake import Intake
from tocsin.relay import Backlog, Rank, Refusal, Tally, Window, requests_needed
from tocsin.signals import RiskLevel, SkipReason

REFUSED_SHOWN = 5
INTERRUPTED = "interrupted"
"""Why a run stopped that a person has stopped: there is nothing to mend."""
TITLES = {
    SkipReason.BELOW_BANDS: "too weak by the source's own score",
    SkipReason.NO_CLAIM: "say nothing against an address",
    SkipReason.NO_LEVEL: "of a kind or severity that no level is given to",
    SkipReason.NO_ADDRESS: "hold no address of an attacker",
    SkipReason.NOT_GLOBAL: "not an address on the Internet (--allow-non-global sends it)",
    SkipReason.OWN: "our own addresses",
    SkipReason.ALLOW_LISTED: "in an allow-list",
    SkipReason.NETWORK_TOO_LARGE: "networks too large to be signalled address by address",
    SkipReason.EXPIRED: "expired",
    SkipReason.NOT_YET: "observed later than --as-of",
    SkipReason.NOT_A_RECORD: "broken: not a record of the format",
    SkipReason.BAD_ADDRESS: "broken: not an IP address",
    SkipReason.BAD_LEVEL: "broken: not a risk level",
    SkipReason.BAD_MESSAGE: "broken: a message the API refuses",
    SkipReason.BAD_TIME: "broken: a time that cannot be",
    SkipReason.TOO_LONG: "broken: larger than any record",
    SkipReason.CUT_OFF: "broken: the input breaks off",
}


_LEVELS = {
    "HIGH": (Rank.RAISE_HIGH, Rank.REFRESH_HIGH),
    "MEDIUM": (Rank.RAISE_MEDIUM, Rank.REFRESH_MEDIUM),
    "LOW": (Rank.RAISE_LOW, Rank.REFRESH_LOW),
    "to let go": (Rank.LOWER,),
}


class Report(Struct, frozen=True):
    """One run, over or broken off."""

    intake: Intake
    tally: Tally
    to: str
    took: timedelta
    subjects: int = 0
    """How many IPs there were to tell it about."""
    left: int = 0
    """Of these, those that wait still."""
    stopped: str | None = None
    """Why it did not come to its end."""
    quarantined: Sequence[Refusal] = ()
    """What the org has refused, in this run or before, and nobody has decided about."""
    kept_in: Path | None = None
    """Where that, and what is left, is remembered; None for nowhere."""

    @property
    def expired(self) -> int:
        """Of the subjects, those that ended while they waited."""
        return max(0, self.subjects - self.tally.delivered - len(self.tally.refused) - self.left)

    @property
    def clean(self) -> bool:
        """Whether there is nothing for a person to look at."""
        return not (self.intake.broken or self.quarantined or self.left or self.stopped)


def plan_line(backlog: Mapping[Rank, Backlog], window: Window, *, now: datetime) -> str:
    """What is about to happen, and how long the budget makes it take."""
    levels, subjects = _levels(backlog), subjects_of(backlog)
    if not subjects:
        return "nothing to send"
    requests = requests_needed(subjects)
    of_level = ", ".join(f"{count:,} {level}" for level, count in levels.items())
    takes = about(window.time_for(requests, now=now))
    return f"{_ips(subjects)} ({of_level}): {_requests(requests)} at {window.limit} a minute: {takes}"


def file_lines(intake: Intake) -> Iterator[str]:
    """A line per file: what it was taken for, and what it came to."""
    for account in intake.files:
        if account.refused:
            yield f"{account.file}: not read"
            continue
        name = account.form.name if account.form else "no format"
        of_level = ", ".join(f"{account.levels[level]:,} {level}" for level in RiskLevel if account.levels[level])
        signals = f"{account.signals:,} signals" + (f" ({of_level})" if of_level else "")
        coalesced = f", {account.coalesced:,} of them coalesced" if account.coalesced else ""
        skipped = f", {account.skipped.total():,} skipped" if account.skipped else ""
        yield f"{account.file}: {name}: {account.records:,} records, {signals}{coalesced}{skipped}"


def as_json(report: Report) -> dict[str, Any]:
    """The summary for a machine; `signals` were read, `subjects` are the IPs the org had to be told about."""
    tally = report.tally
    summary: dict[str, Any] = {
        "signals": report.intake.signals,
        "subjects": report.subjects,
        "delivered": tally.delivered,
        "requests": tally.requests,
        "retries": tally.retries,
        "quarantined": len(report.quarantined),
        "expired": report.expired,
        "left": report.left,
        "skipped": _skipped(report.intake),
        "seconds": round(report.took.total_seconds(), 3),
    }
    if report.quarantined:
        summary["refused"] = [
            {"ip": one.ip, "level": one.level, "source": one.source, "reason": one.reason} for one in report.quarantined
        ]
    if report.stopped:
        summary["stopped"] = report.stopped
    return summary


def lines(report: Report) -> Iterator[str]:
    """The summary for a person."""
    tally = report.tally
    retries = f", {tally.retries:,} of them again" if tally.retries else ""
    seconds = f"{report.took.total_seconds():.1f} s"
    if not tally.requests:
        known = report.kept_in and not report.subjects and report.intake.signals > report.intake.ended
        remembered = f": all of it was told before, or decided about, as {report.kept_in} remembers" if known else ""
        yield f"nothing was sent{remembered}"
    elif not (tally.delivered or tally.refused or tally.in_flight):
        attempts = "1 attempt" if tally.requests == 1 else f"{tally.requests:,} attempts"
        yield f"nothing was delivered to {report.to} in {attempts}"
    else:
        yield f"delivered {_ips(tally.delivered)} to {report.to} with {_requests(tally.requests)}{retries} in {seconds}"
    yield from file_lines(report.intake)
    yield from skipped_lines(report.intake)
    if report.expired:
        yield f"skipped {report.expired:,}: expired while they waited for the budget"
    yield from _refused_lines(report)
    if report.left:
        again = "the same command again goes on from here" if report.kept_in else "send the same input again"
        if report.stopped and report.stopped != INTERRUPTED:
            again = f"mend what stopped it first, then {again}"
        yield f"not delivered {report.left:,}: {again}"
    if tally.in_flight:
        yield f"  {tally.in_flight:,} of them were on their way without an answer and may have arrived"


def _refused_lines(report: Report) -> Iterator[str]:
    refused = report.quarantined
    if refused:
        yield f"refused {len(refused):,}:"
    for one in refused[:REFUSED_SHOWN]:
        yield f"  {one.ip} {one.level}: {one.reason}"
    if len(refused) > REFUSED_SHOWN:
        yield f"  and {len(refused) - REFUSED_SHOWN:,} more"
    if refused and report.kept_in:
        yield f"  `tocsin quarantine list --state {report.kept_in}` shows all, `retry` and `drop` decide about them"


def broken_lines(intake: Intake) -> Iterator[str]:
    """What could not be read, the first broken records, and what the file may be instead."""
    for account in intake.files:
        if account.refused:
            yield account.refused
            if account.refused_hint:
                yield f"  hint: {account.refused_hint}"
    yield from intake.first_broken
    if more := intake.broken - len(intake.first_broken):
        yield f"and {more:,} more broken lines"
    for account in intake.files:
        if account.rather is not None:
            yield f"nothing was found in {account.file} {account.said_by}"
            yield f"  hint: by its content it is {account.rather.name}: name that, or no format"


def skipped_lines(intake: Intake) -> Iterator[str]:
    """A line per reason, the most frequent first."""
    for reason, count in intake.skipped.most_common():
        yield f"skipped {count:,}: {TITLES[reason]}"
    if intake.ended:
        yield f"not sent {intake.ended:,}: held at the time of --as-of, and have expired since"


def _ips(count: int) -> str:
    return f"{count:,} IP" if count == 1 else f"{count:,} IPs"


def _requests(count: int) -> str:
    return f"{count:,} request" if count == 1 else f"{count:,} requests"


def subjects_of(backlog: Mapping[Rank, Backlog]) -> int:
    """How many IPs there are to tell about."""
    return sum(waiting.count for waiting in backlog.values())


def _levels(backlog: Mapping[Rank, Backlog]) -> dict[str, int]:
    counts = {level: sum(backlog[rank].count for rank in ranks) for level, ranks in _LEVELS.items()}
    return {level: count for level, count in counts.items() if count}


def _skipped(intake: Intake) -> dict[str, int]:
    return {str(reason): count for reason, count in sorted(intake.skipped.items())}
