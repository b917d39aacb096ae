"""What a reader is given, and what it gives back: a signal, or the reason why a line became none."""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from msgspec import Struct

from tocsin.signals import Signal, Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS


class Line(NamedTuple):
    """One line of an input, without its end."""

    number: int
    """1 for the first."""
    text: str


def skipped(line: Line, reason: SkipReason, detail: str) -> Skipped:
    """What became of `line`: no signal."""
    return Skipped(reason, line.number, detail, line.text[:EXCERPT_CHARS])


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
