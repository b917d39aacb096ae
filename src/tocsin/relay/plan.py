"""What one request tells: pure. The best of the pending set, sorted by expiry and cut into events.

An event ends with the first of its subjects, so nothing is claimed longer than its source said; sorting makes that
cost the others as little of their life as can be. What is let go ends at once, and so never shares an event with what
is to hold.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tocsin.relay.reconcile import LEAST_LIFE_MS
from tocsin.signals import RiskLevel, ip_text
from tocsin.signals.limits import EVENTS_PER_REQUEST, SUBJECTS_PER_EVENT, SUBJECTS_PER_REQUEST

_LEVELS = {level.severity: level for level in RiskLevel}


class Telling(Struct, frozen=True, gc=False):
    """What a target is to believe about one IP."""

    key: bytes
    """Of the IP, 16 bytes."""
    rank: int
    severity: int
    """0 to let go: nothing is claimed any more."""
    until_ms: int
    """Until when; of no meaning when it is let go."""
    message: str = ""
    source: int = 0
    since_ms: int = 0
    """Since when it has waited."""

    @property
    def ip(self) -> str:
        """Its canonical text."""
        return ip_text(self.key)

    @property
    def level(self) -> RiskLevel:
        """The level on the wire. There is none for nothing: what is let go is LOW, for a moment."""
        return _LEVELS.get(self.severity, RiskLevel.LOW)


class Event(Struct, frozen=True):
    """The tellings that share one end."""

    until_ms: int
    tellings: Sequence[Telling]
    """1 to 50."""


class Request(Struct, frozen=True):
    """What one request tells; each IP once."""

    told_ms: int
    """The moment of asserting: what is told later replaces it."""
    events: Sequence[Event]
    """1 to 20."""

    @property
    def tellings(self) -> list[Telling]:
        """All of them, in the order of the wire."""
        return [telling for event in self.events for telling in event.tellings]


def pack(tellings: Iterable[Telling], *, now_ms: int) -> Request:
    """
    The request that tells the first of `tellings` (at least one, best first, each IP once) that fit.

    That is 1,000, or fewer when some are let go: these fill events of their own.
    """
    best = list(tellings)[:SUBJECTS_PER_REQUEST]
    let_go = [telling for telling in best if not telling.severity]
    events = _cut(let_go, now_ms + LEAST_LIFE_MS)
    room = (EVENTS_PER_REQUEST - len(events)) * SUBJECTS_PER_EVENT
    hold = [telling for telling in best if telling.severity][:room]
    hold.sort(key=_until)
    return Request(now_ms, [*events, *_cut(hold, None)])


def halves(tellings: Sequence[Telling]) -> tuple[Sequence[Telling], Sequence[Telling]]:
    """The same in two parts. There are at least two."""
    middle = len(tellings) // 2
    return tellings[:middle], tellings[middle:]


def requests_needed(subjects: int) -> int:
    """The fewest requests that can tell so many subjects."""
    return -(-subjects // SUBJECTS_PER_REQUEST)


def _cut(tellings: Sequence[Telling], until_ms: int | None) -> list[Event]:
    groups = [tellings[at : at + SUBJECTS_PER_EVENT] for at in range(0, len(tellings), SUBJECTS_PER_EVENT)]
    return [Event(group[0].until_ms if until_ms is None else until_ms, group) for group in groups]


def _until(telling: Telling) -> int:
    return telling.until_ms
