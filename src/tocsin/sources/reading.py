"""What a reader is given, and what it gives back: a signal, or the reason why a line became none."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from tocsin.signals import Signal

EXCERPT_CHARS = 60


class SkipReason(StrEnum):
    """Why a line became no signal; the value is the key in summaries and metrics."""

    BELOW_BANDS = "below_bands"
    """The source itself calls it too weak to act on."""
    NOT_GLOBAL = "not_global"
    """The address is private, loopback, for documentation: not one host on the Internet."""
    EXPIRED = "expired"
    """What was claimed has ended before it was read."""
    NOT_A_RECORD = "not_a_record"
    BAD_ADDRESS = "bad_address"
    BAD_LEVEL = "bad_level"
    BAD_MESSAGE = "bad_message"
    BAD_TIME = "bad_time"

    @property
    def broken(self) -> bool:
        """True when someone must mend the line, False when leaving it out is the rule."""
        return self not in _BY_RULE


_BY_RULE = {SkipReason.BELOW_BANDS, SkipReason.NOT_GLOBAL, SkipReason.EXPIRED}


class Line(NamedTuple):
    """One line of an input, without its end."""

    number: int
    """1 for the first."""
    text: str


class Skipped(Struct, frozen=True):
    """A line that became no signal. Nothing is left out of a list without one of these."""

    reason: SkipReason
    line: int
    detail: str
    """What is wrong and what would be right, in one sentence."""
    excerpt: str
    """The start of the line, as it stands there."""

    @classmethod
    def of(cls, line: Line, reason: SkipReason, detail: str) -> "Skipped":
        return cls(reason, line.number, detail, line.text[:EXCERPT_CHARS])


class Reading(Struct, frozen=True, kw_only=True):
    """How one input is to be read."""

    now: datetime
    """Aware; what has expired by then is skipped."""
    source: str
    """Name that the signals carry."""
    as_of: datetime | None = None
    """Stands in for the list's own date, and for the time of records that tell none."""
    allow_non_global: bool = False
    """True to pass addresses that are no host on the Internet."""

    def observed(self, list_date: datetime | None = None) -> datetime:
        """When a record without a time of its own was observed, in a list that may have a date."""
        return self.as_of or list_date or self.now


class Reader(Protocol):
    """Turns the lines of one input into signals, one line at a time; it may remember what a header said."""

    def read(self, line: Line) -> Signal | Skipped | None:
        """None for a line that claims nothing: a comment, a header, a blank one."""
        ...


FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours a detector's clock may be."""
