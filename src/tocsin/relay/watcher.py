"""Who is told how it goes: progress bars, log lines, metrics."""

from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from tocsin.relay.refusal import Refusal


class Sent(Struct, frozen=True):
    """One request, and what came of it."""

    target: str
    subjects: int
    outcome: str
    """`delivered`, `again`, `halved`, `refused` or `paused`."""
    status: int | None
    """None when no answer came."""
    reason: str
    """The target's own words when it did not take it."""
    remedy: str
    """What a person can do about a target that is paused."""
    again_in: timedelta
    """When something is sent next at the earliest, where the target is not to be asked before; else zero."""
    took: timedelta
    waited: timedelta
    """How long the first of its subjects had waited."""
    left: int
    """Requests left in the window."""
    delivered: int
    """Subjects so far."""
    pending: int
    """IPs that wait still."""
    ahead: timedelta
    """How long the budget will make these take."""


class Waits(Struct, frozen=True):
    """Nothing will be sent for a while."""

    target: str
    wait: timedelta
    why: str


class Tally(Struct):
    """What one target was told in this run."""

    delivered: int = 0
    in_flight: int = 0
    """Sent without an answer yet: the target may have them."""
    requests: int = 0
    """Sent, whatever the answer."""
    retries: int = 0
    """Of `requests`, those that repeated one that failed on the way or by the budget."""
    refused: list[Refusal] = []


class Watcher(Protocol):
    """Is told how things go on, in the event loop: it must not take long."""

    def sent(self, sent: Sent) -> None:
        """An answer was dealt with."""
        ...

    def waits(self, waits: Waits) -> None:
        """Unless something more urgent comes."""
        ...
