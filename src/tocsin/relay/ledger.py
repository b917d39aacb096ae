"""Where it is written down what a target is told, beside the outbox: for who takes the target over. A seam.

A relay on one machine needs none: its outbox outlives it. In a fleet the outbox stays behind with its machine.
"""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

from tocsin.relay.refusal import Refusal


class Told(Struct, frozen=True):
    """What one request tells, as far as the outbox remembers it."""

    told_ms: int
    subjects: dict[bytes, tuple[int, int]]
    """IP key -> severity, and until when (ms)."""


class Outcome(StrEnum):
    """What became of a request."""

    DELIVERED = "delivered"
    NOT_TAKEN = "not_taken"
    """The target has not taken it, and that is sure."""
    LOST = "lost"
    """Nobody knows."""
    REFUSED = "refused"
    """The one subject in it is refused for good."""


class Spent(Struct, frozen=True):
    """The budget of a target as far as it is known."""

    limit: int
    """Requests in a window."""
    left: int
    closes_ms: int
    """When the window closes; 0 while none is open."""


class Intent(Struct, frozen=True, tag="intent"):
    """A request is about to go out."""

    told: Told
    spent: Spent
    """With this request counted."""


class Answered(Struct, frozen=True, tag="answered"):
    """What came of the intent before."""

    outcome: Outcome
    spent: Spent
    reason: str = ""
    """The target's own words when it did not take it."""
    severity: int = 0
    """Of the subject that is refused; 0 when it was to be let go."""


class Held(Struct, frozen=True, array_like=True):
    """What a target was told about one IP and still holds."""

    severity: int
    unsure: bool
    told_ms: int
    until_ms: int
    refused: int
    """See `record.Standing`."""


class Carried(Struct, frozen=True, tag="carried"):
    """
    All that the target was told about a range of IPs, carried forward to here. Nothing was in flight then.

    Whatever an earlier entry says about these IPs is in it.
    """

    told_ms: int
    """The moment of the last assertion, about whatever IP."""
    spent: Spent
    round_from: int
    """The entry with the first part of this round; 0 where that is this one, and nobody knows its seq yet."""
    first: bytes
    """The range begins with this key, which is empty for the first of all."""
    before: bytes | None
    """And ends before this one; None for no end."""
    held: dict[bytes, Held]
    refusals: list[Refusal]
    """Of the subjects among these that the target would not take: one for each level."""


Written: TypeAlias = Intent | Answered | Carried


class Page(Struct, frozen=True):
    """Some of what was written down, in order."""

    seq: int
    """That of the last of `entries`."""
    entries: Sequence[Written]


class Ledger(Protocol):
    """The ledger of one target. Whoever cannot write down what it means to send does not send it."""

    def begin(self, known: int, /) -> AsyncIterator[Page]:
        """
        Wait until the target may be told something, and take it over: nobody else can write from the last page on.

        Args:
            known: `seq` of the last entry that the outbox knows, 0 for none.
        Returns: what was written down after that.
        Raises: LeaseLost, when it is another's.
        """
        ...

    async def intends(self, intent: Intent, /) -> int:
        """Durable when it returns. Returns: its seq. Raises: LeaseLost; then nothing may be sent."""
        ...

    async def answered(self, answered: Answered, /) -> int:
        """Durable when it returns. Returns: its seq. Raises: LeaseLost."""
        ...

    def carries_after(self, subjects: int, /) -> bool:
        """
        The target was told about so many more. Returns: whether a part is to be carried forward now, so that the ledger
        does not grow without end.
        """
        ...

    async def carries(self, part: Carried, /) -> int:
        """Durable when it returns. Returns: its seq. Raises: LeaseLost."""
        ...


class NoLedger:
    """That of a relay on one machine."""

    async def begin(self, _known: int) -> AsyncIterator[Page]:
        """At once, with nothing new."""
        nothing_new: Sequence[Page] = ()
        for page in nothing_new:
            yield page

    async def intends(self, _intent: Intent) -> int:
        """Always."""
        return 0

    async def answered(self, _answered: Answered) -> int:
        """Nobody asks."""
        return 0

    def carries_after(self, _subjects: int) -> bool:
        """Never."""
        return False

    async def carries(self, _part: Carried) -> int:
        """Nobody asks."""
        return 0
