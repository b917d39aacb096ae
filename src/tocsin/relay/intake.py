"""From what a source hands over to claims: checked and converted before anything is written. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from tocsin.relay.books import SourceBook
from tocsin.relay.record import NEVER_MS, Claim
from tocsin.relay.refusal import Kind, Refusal
from tocsin.signals import Batch, InvalidSignals, Problem, Retraction, RiskLevel, Signal, Skipped, ip_key, to_ms
from tocsin.signals.limits import MESSAGE_ALLOWED, MESSAGE_CHARS

REMEMBER_RETRACTION_MS = 3_600_000
"""How long an observation that was made before a retraction may arrive after it."""
SOURCE_BYTES = 400
"""The longest name of a source, in UTF-8: it is part of a key of the outbox, and of a topic of a fleet's stream."""
_ALLOWED = re.compile(MESSAGE_ALLOWED)
_ALLOWED_BYTES = re.compile(MESSAGE_ALLOWED.encode())

_Key = Annotated[bytes, Meta(min_length=16, max_length=16)]
_Severity = Annotated[int, Meta(ge=0, le=3)]
_Moment = Annotated[int, Meta(ge=-NEVER_MS, le=NEVER_MS)]
_Message = Annotated[bytes, Meta(max_length=MESSAGE_CHARS)]
Row = tuple[_Key, _Severity, _Moment, _Moment, _Message]
"""IP key, severity, observed and expires in ms, message; severity 0 for a retraction."""


class Prepared(Struct, frozen=True):
    """One batch, ready to be folded in."""

    source: str
    rows: list[Row]
    skipped: Sequence[Skipped] = ()
    position: bytes | None = None
    ends_list: bool = False
    begins: bool = False
    """Whether the source starts again with this: what it lists from now on is told apart from what it listed before."""
    stopped: str = ""
    """Why nothing comes from the source after this; empty while it works."""


def prepare(batch: Batch) -> Prepared:
    """
    Raises: InvalidSignals, for a signal that no target could ever take, or a source whose name is too long; of the
        batch nothing is kept then.
    """
    return Prepared(_name(batch.source), _rows(batch.claims), batch.skipped, batch.position, batch.ends_list)


def prepare_signals(claims: Iterable[Signal | Retraction]) -> list[Prepared]:
    """The same for claims of any sources, which keep no position. Raises: InvalidSignals."""
    by_source: dict[str, list[Signal | Retraction]] = {}
    for claim in claims:
        by_source.setdefault(claim.source, []).append(claim)
    return [Prepared(_name(source), _rows(found)) for source, found in by_source.items()]


def prepared(claims: Iterable[Batch | Iterable[Signal | Retraction]]) -> list[Prepared]:
    """The same for both: batches, and claims of any sources. Raises: InvalidSignals."""
    return [
        batch for some in claims for batch in ([prepare(some)] if isinstance(some, Batch) else prepare_signals(some))
    ]


def can_be_told(row: Row) -> bool:
    """Whether targets take the message of a row that another program made: one that they refuse stops all others."""
    return _ALLOWED_BYTES.fullmatch(row[4]) is not None


class Intake:
    """What one transaction takes in, folded together."""

    def __init__(self, book_of: Callable[[str], SourceBook], now_ms: int) -> None:
        self.claims: dict[bytes, list[Claim]] = {}
        self.books: dict[str, SourceBook] = {}
        self.refusals: list[Refusal] = []
        self._book_of, self._now_ms = book_of, now_ms

    def add(self, batch: Prepared) -> None:
        """One more batch; those of one source in their order."""
        book = self.books.get(batch.source)
        if book is None:
            book = self.books[batch.source] = self._book_of(batch.source)
        if batch.begins:
            book.generation += 1
        number, generation, claims = book.number, book.generation, self.claims
        newest_ms = book.newest_ms
        for key, severity, observed_ms, expires_ms, message in batch.rows:
            claim = Claim(number, severity, observed_ms, expires_ms, generation, message)
            known = claims.get(key)
            if known is None:
                claims[key] = [claim]
            else:
                known.append(claim)
            if observed_ms > newest_ms:
                newest_ms = observed_ms
        book.newest_ms, book.heard_ms, book.stopped = newest_ms, self._now_ms, batch.stopped
        book.taken += len(batch.rows)
        self._account(book, batch)

    def _account(self, book: SourceBook, batch: Prepared) -> None:
        for skipped in batch.skipped:
            book.skipped[skipped.reason] = book.skipped.get(skipped.reason, 0) + 1
            if skipped.reason.broken:
                self.refusals.append(self._unreadable(batch.source, skipped))
        if batch.position is not None:
            book.position = batch.position
        if batch.ends_list:
            # Starting anew with each list would never end where lists come faster than a walk takes.
            book.walk_again = bool(book.walk_from)
            book.let_go_below, book.walk_from = book.generation, book.walk_from or b""
            book.generation += 1

    def _unreadable(self, source: str, skipped: Skipped) -> Refusal:
        return Refusal(
            kind=Kind.RECORD,
            by=source,
            source=source,
            reason=skipped.detail,
            why=skipped.reason,
            first_ms=self._now_ms,
            last_ms=self._now_ms,
            line=skipped.line,
            excerpt=skipped.excerpt,
        )


def _rows(claims: Sequence[Signal | Retraction]) -> list[Row]:
    # Signals of one reading share their times and messages: each is converted once.
    times: dict[object, int] = {}
    messages: dict[str, bytes] = {"": b""}
    rows: list[Row] = []
    try:
        for claim in claims:
            observed_ms = times.get(claim.observed)
            if observed_ms is None:
                observed_ms = times[claim.observed] = to_ms(claim.observed)
            if type(claim) is Retraction:
                rows.append((ip_key(claim.ip), 0, observed_ms, observed_ms + REMEMBER_RETRACTION_MS, b""))
                continue
            assert type(claim) is Signal
            ends_ms = times.get(claim.expires)
            if ends_ms is None:
                ends_ms = times[claim.expires] = to_ms(claim.expires)
            message = messages.get(claim.message)
            if message is None:
                message = messages[claim.message] = _checked(claim.message)
            rows.append((ip_key(claim.ip), _severity(claim.level), observed_ms, ends_ms, message))
    except (TypeError, ValueError, AttributeError) as error:
        about = getattr(claims[len(rows)], "ip", claims[len(rows)])
        raise InvalidSignals([Problem("", f"what is said about {str(about)[:60]!r}: {error}")]) from None
    return rows


def _name(source: str) -> str:
    size = len(source.encode(errors="surrogateescape"))
    if size > SOURCE_BYTES:
        text = f"the name of the source {source[:60]!r} has {size} bytes, and {SOURCE_BYTES} at most are kept"
        raise InvalidSignals([Problem("", text)])
    return source


def _severity(level: RiskLevel) -> int:
    # By identity: an enum is slow to look up by, and this runs for every signal.
    if level is RiskLevel.LOW:
        return 1
    return 3 if level is RiskLevel.HIGH else 2 if level is RiskLevel.MEDIUM else RiskLevel(level).severity


def _checked(message: str) -> bytes:
    if len(message) > MESSAGE_CHARS or not _ALLOWED.fullmatch(message):
        raise ValueError(f"the message {message[:60]!r} holds what no target takes: only a-z A-Z 0-9 . - _ and blank")
    return message.encode()
