"""What the outbox knows beside its records: its sources and its targets. Encoded as JSON."""

import msgspec
from msgspec import Struct

from tocsin.relay.ledger import Answered


class SourceBook(Struct, kw_only=True):
    """One source, as far as it is durable here."""

    number: int
    position: bytes = b""
    """Where it goes on from; only the source knows what it means."""
    generation: int = 1
    """Counts the readings: a list that is read whole begins a new one."""
    let_go_below: int = 0
    """What it claimed before this reading, and not since, is let go by the walk that is under way."""
    walk_from: bytes | None = None
    """The key that walk goes on from; None when there is none."""
    walk_again: bool = False
    """A list has ended since the walk began: after it, what it had passed by then is walked through once more."""
    taken: int = 0
    """Signals and retractions so far."""
    skipped: dict[str, int] = {}
    """Records that became none, by reason."""
    unkept: int = 0
    """Of the broken ones, those that quarantine had no room for."""
    heard_ms: int = 0
    """When its last batch came."""
    newest_ms: int = 0
    """Of all it observed, the latest."""
    stopped: str = ""
    """Why nothing comes from it now; empty while it works."""


class TargetBook(Struct, kw_only=True):
    """One target, as of its last answer."""

    number: int
    requests: int = 0
    retries: int = 0
    delivered: int = 0
    """Subjects."""
    refused: int = 0
    told_ms: int = 0
    """The moment of the last assertion."""
    answered_ms: int = 0
    answer: str = ""
    """The last one: a status, or what happened on the way."""
    limit: int = 0
    left: int = 0
    """Requests left in its window, which closes at `closes_ms`."""
    closes_ms: int = 0
    ledger_seq: int = 0
    """Of its ledger, the last entry that is known here."""
    unwritten: Answered | None = None
    """What came of the last request, while it may stand here alone and not in the ledger, too."""
    round_from: int = 0
    """In its ledger, the entry with the first part of the round in which it is carried forward; 0 for none."""
    round_next: bytes = b""
    """The key that the next part begins with."""
    paused: str = ""
    """Why nothing is sent to it; empty while it works."""
    remedy: str = ""


def dump(book: Struct) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(book)


def load_source(stored: bytes) -> SourceBook:
    """A stored source."""
    return msgspec.json.decode(stored, type=SourceBook)


def load_target(stored: bytes) -> TargetBook:
    """A stored target."""
    return msgspec.json.decode(stored, type=TargetBook)
