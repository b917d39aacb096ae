"""What a reader is given, and what it gives back: claims about addresses, or the reason why a record makes none."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.guard import Guard


class Block(NamedTuple):
    """Some records of an input, in order."""

    numbers: Sequence[int]
    """Of each record, 1 for the first; for text it is the line."""
    records: list[Any]
    """Lines without their end, rows as dicts, or JSON values."""
    end: int
    """Where the next block begins: bytes from the start of the input, decompressed."""
    broken: Sequence[Skipped] = ()
    """Pieces that are no records of this kind."""

    @property
    def is_text(self) -> bool:
        """Whether the records are lines."""
        return bool(self.records) and isinstance(self.records[0], str)


class Claim(Struct, frozen=True, gc=False):
    """What a record says, before it is decided whether that becomes a signal (`vetting`)."""

    number: int
    """Of the record."""
    address: str
    """Who is the attacker, as the record has it: an address, perhaps with a port or brackets, or a network."""
    level: RiskLevel
    observed: datetime
    """Aware."""
    expires: datetime
    """Aware."""
    message: str = ""
    """Legal on the wire (`legal_message`)."""
    others: tuple[str, ...] = ()
    """Who else may be, in order: the first that can be signalled is taken."""
    forwarded: str = ""
    """X-Forwarded-For of the record; it counts where `address` is one of our proxies."""
    retracts: bool = False
    """True where the source takes back what it said of the address."""


class Found(NamedTuple):
    """What a reader makes of a block."""

    records: int
    """How many there were; a comment, a header or a blank line is none."""
    claims: list[Claim]
    skipped: list[Skipped]


class Reading(Struct, frozen=True, kw_only=True):
    """How one input is to be read."""

    now: datetime
    """Aware; what has expired by then is skipped."""
    source: str
    """Name that the signals carry."""
    as_of: datetime | None = None
    """Stands in for the list's own date, and for the time of records that tell none; else it is `now`."""
    past: bool = False
    """Whether `now` is a time that was asked for in place of the present: what is later is not there yet."""
    allow_non_global: bool = False
    """True to pass addresses that are no host on the Internet."""
    guard: Guard = Guard()
    """Which addresses are ours, and which are never signalled."""
    max_expand: int = 256
    """The largest network that is signalled address by address."""
    ipv6_prefix: int = 64
    """Where lines are counted: the bits of an IPv6 address that tell one attacker from another; 128 for all."""
    timezone: tzinfo = UTC
    """Of times that name no offset."""
    levels: Mapping[str, RiskLevel] = {}
    """The level for a value of the source's own scale, in place of the format's; `*` for all of a list."""
    life: timedelta | None = None
    """How long a claim without an end of its own holds, in place of the format's choice."""

    goes_on: bool = False
    """Whether more of the input may come, so that a record which breaks off at its end is none yet."""
    memory: dict[str, Any] = {}
    """What readers remember from one reading of a growing input to the next: counts over time."""

    def observed(self, list_date: datetime | None = None) -> datetime:
        """When a record without a time of its own was observed, in a list that may have a date."""
        return self.as_of or list_date or self.now


class Reader(Protocol):
    """Turns the records of one input into claims, a block at a time; it may remember what a header said."""

    def read(self, block: Block) -> Found: ...

    def end(self) -> Found:
        """What is left to say once the input has come to its end."""
        ...


class RecordReader:
    """A reader that looks at one record at a time."""

    def record(self, number: int, record: Any) -> Claim | Skipped | None:
        """What one record says, and None when it is no record, such as a comment."""
        raise NotImplementedError

    def read(self, block: Block) -> Found:
        """See `Reader`."""
        records, claims, skips = len(block.records), list[Claim](), list[Skipped]()
        for number, record in zip(block.numbers, block.records, strict=True):
            try:
                found = self.record(number, record)
            except Exception as error:
                found = unreadable(number, record, error)
            if found is None:
                records -= 1
            elif isinstance(found, Claim):
                claims.append(found)
            else:
                skips.append(found)
        return Found(records, claims, skips)

    def end(self) -> Found:
        """See `Reader`."""
        return Found(0, [], [])


def unreadable(number: int, record: object, error: Exception) -> Skipped:
    """
    What becomes of a record that no rule of its reader foresaw: someone must look at it, and all others are read.

    An overflow is that of a time such as the year 9999, which leaves no room for a life after it.
    """
    if isinstance(error, OverflowError):
        return skipped(number, record, SkipReason.BAD_TIME, f"holds a time that is out of range: {error}")
    return skipped(number, record, SkipReason.NOT_A_RECORD, f"cannot be read: {type(error).__name__}: {error}")


def skipped(number: int, record: object, reason: SkipReason, detail: str) -> Skipped:
    """What became of a record: no signal."""
    return Skipped(reason, number, detail, excerpt(record))


def excerpt(record: object) -> str:
    """The start of a record, as it stands in its input."""
    if isinstance(record, str):
        return record[:EXCERPT_CHARS]
    if isinstance(record, dict):
        record = dict(islice(record.items(), _EXCERPT_KEYS))  # the whole would take longer than reading it
        record.pop("parent", None)
    return msgspec.json.encode(record, enc_hook=str)[:EXCERPT_CHARS].decode(errors="replace")


_EXCERPT_KEYS = 4
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours a detector's clock may be."""
