"""What to tell a target, and in which order: pure decisions over signals and the clock.

Per IP and source the latest observation counts; per IP the highest level over its sources. The most dangerous go
first, then the longest known. A request holds as many as the pipe allows, and claims nothing longer than its source.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.signals import RiskEvent, RiskEventSubject, Signal
from tocsin.signals.limits import SUBJECTS_PER_EVENT, SUBJECTS_PER_REQUEST

LEAST_LIFE = timedelta(seconds=5)
"""What ends sooner is not worth a place in a request, and may have ended when the request arrives."""


class Request(Struct, frozen=True):
    """What one request tells: its signals, and the same as events for the wire."""

    signals: tuple[Signal, ...]
    """1 to 1,000, sorted by expiry; each IP once."""
    events: tuple[RiskEvent, ...]
    """1 to 20, each of 1 to 50 subjects."""


class Picked(Struct, frozen=True):
    """A backlog, divided."""

    chosen: tuple[Signal, ...]
    """For the next request: at most 1,000."""
    rest: Sequence[Signal]
    """For later, ranked as before."""
    expired: tuple[Signal, ...]
    """Ended, or about to, while they waited."""


def coalesce(signals: Iterable[Signal]) -> list[Signal]:
    """
    One signal per IP: of each source the latest, of those the highest level. In order of first appearance.

    Equal times count by level, equal levels by expiry, so the order of the input does not matter to what wins.
    """
    latest: dict[str, dict[str, Signal]] = {}
    for signal in signals:
        of_ip = latest.setdefault(signal.ip, {})
        known = of_ip.get(signal.source)
        if known is None or _recency(signal) > _recency(known):
            of_ip[signal.source] = signal
    return [max(of_ip.values(), key=_weight) for of_ip in latest.values()]


def rank(signals: Iterable[Signal]) -> list[Signal]:
    """Most dangerous first, then the earliest observed; the order of the input decides between equals."""
    return sorted(signals, key=lambda signal: (-signal.level.severity, signal.observed))


def holds(signal: Signal, *, now: datetime) -> bool:
    """Whether it is still worth telling."""
    return signal.expires >= now + LEAST_LIFE


def pick(ranked: Sequence[Signal], *, now: datetime, at_most: int = SUBJECTS_PER_REQUEST) -> Picked:
    """Divide a ranked backlog: the best `at_most` that still hold, those that do not, and the rest."""
    chosen: list[Signal] = []
    expired: list[Signal] = []
    taken = 0
    for signal in ranked:
        if len(chosen) == at_most:
            break
        (chosen if holds(signal, now=now) else expired).append(signal)
        taken += 1
    return Picked(tuple(chosen), ranked[taken:], tuple(expired))


def pack(signals: Sequence[Signal], *, now: datetime) -> Request:
    """
    The request that tells `signals` (1 to 1,000, each IP once).

    Sorted by expiry and cut into events of 50, so that ending an event with the first of its subjects costs the
    others as little of their life as can be.
    """
    by_expiry = tuple(sorted(signals, key=lambda signal: signal.expires))
    groups = [by_expiry[at : at + SUBJECTS_PER_EVENT] for at in range(0, len(by_expiry), SUBJECTS_PER_EVENT)]
    return Request(by_expiry, tuple(_event(group, now) for group in groups))


def halves(request: Request, *, now: datetime) -> tuple[Request, Request]:
    """The same signals in two requests. `request` holds at least two."""
    middle = len(request.signals) // 2
    return pack(request.signals[:middle], now=now), pack(request.signals[middle:], now=now)


def requests_needed(subjects: int) -> int:
    """The fewest requests that can tell so many subjects."""
    return -(-subjects // SUBJECTS_PER_REQUEST)


def _event(group: Sequence[Signal], now: datetime) -> RiskEvent:
    subjects = [RiskEventSubject(signal.ip, signal.level, signal.message or None) for signal in group]
    return RiskEvent(subjects, timestamp=now, expires_at=group[0].expires)


def _recency(signal: Signal) -> tuple[datetime, int, datetime, str]:
    return signal.observed, signal.level.severity, signal.expires, signal.message


def _weight(signal: Signal) -> tuple[int, datetime, datetime, str, str]:
    return signal.level.severity, signal.expires, signal.observed, signal.source, signal.message
