"""What is on its way to a target: kept before it goes out, and landed once it is known what became of it; durable."""

from collections.abc import Callable

from msgspec import msgpack

from tocsin.relay.books import TargetBook
from tocsin.relay.bookshelf import Bookshelf
from tocsin.relay.carrying import RECORDS_IN_A_PART, carried, set_carried
from tocsin.relay.changes import Changes, told_by
from tocsin.relay.ledger import Answered, Carried, Intent, Outcome, Page, Told
from tocsin.relay.plan import Request, Telling
from tocsin.relay.quarantine import refuse
from tocsin.relay.refusal import Kind, Refusal
from tocsin.relay.store import Store, Txn

_IN_FLIGHT = b"in-flight/"


class InFlight:
    """The one request of each target that has gone out, or may have, and has no answer yet."""

    def __init__(self, store: Store, books: Bookshelf, changes: Callable[[Txn, int], Changes]) -> None:
        """`changes` begins those of one transaction, at a moment (ms)."""
        self._store, self._books, self._changes = store, books, changes

    def sends(self, name: str, request: Request) -> None:
        """A request is about to go out: whatever happens to it, or to us, what it tells is not forgotten."""
        with self._store.writing() as txn:
            self._set(txn, name, told_by(request))

    def answered(self, name: str, book: TargetBook, *, delivered: bool, now_ms: int) -> None:
        """The target has taken what was sent, or it has not, and that is sure."""
        with self._store.writing() as txn:
            if delivered:
                self._land(txn, name, book.number, sure=True, now_ms=now_ms)
            self._clear(txn, name)
            self._books.keep_target(txn, name, book)

    def lost(self, name: str, book: TargetBook, *, now_ms: int) -> None:
        """Nobody knows whether the target has taken what was sent, if something was: it is told again."""
        with self._store.writing() as txn:
            self._land(txn, name, book.number, sure=False, now_ms=now_ms)
            self._clear(txn, name)
            self._books.keep_target(txn, name, book)

    def refuse(self, name: str, book: TargetBook, telling: Telling, reason: str, *, now_ms: int) -> Refusal:
        """The target will not take `telling`. Returns: what now lies in quarantine."""
        with self._store.writing() as txn:
            refusal = self._refuse(txn, name, book.number, telling, reason, now_ms)
            self._books.keep_target(txn, name, book)
            return refusal

    def recover(self, name: str, book: TargetBook, page: Page, *, now_ms: int) -> bool:
        """
        Learn from its ledger what a target was told by others; `book` is brought up to date.

        Returns: whether the last request has no answer there.
        """
        if page.seq < book.ledger_seq:  # another ledger than the one that was known
            book.round_from, book.round_next = 0, b""
        with self._store.writing() as txn:
            for entry in page.entries:
                match entry:
                    case Intent():
                        self._land(txn, name, book.number, sure=False, now_ms=now_ms)
                        self._set(txn, name, entry.told)
                        book.told_ms = max(book.told_ms, entry.told.told_ms)
                    case Answered():
                        self._hear(txn, name, book, entry, now_ms)
                    case Carried():
                        self._land(txn, name, book.number, sure=False, now_ms=now_ms)
                        self._clear(txn, name)
                        self._set_carried(txn, book, entry, now_ms)
                book.limit, book.left, book.closes_ms = entry.spent.limit, entry.spent.left, entry.spent.closes_ms
            book.ledger_seq = page.seq
            self._books.keep_target(txn, name, book)
            return self._told(txn, name) is not None

    def to_carry(self, name: str, book: TargetBook, *, now_ms: int, records: int = RECORDS_IN_A_PART) -> Carried:
        """The next part of what the target was told, for its ledger. To be asked for while nothing is in flight."""
        with self._store.reading() as txn:
            return carried(self._store, txn, name, book, now_ms=now_ms, records=records)

    def has_carried(self, name: str, book: TargetBook, part: Carried, seq: int) -> None:
        """It is in the ledger, as the entry `seq`, and need not be read there."""
        book.ledger_seq = seq
        _go_on_after(part, book, seq)
        with self._store.writing() as txn:
            self._books.keep_target(txn, name, book)

    def _set_carried(self, txn: Txn, book: TargetBook, part: Carried, now_ms: int) -> None:
        changes = self._changes(txn, now_ms)
        set_carried(self._store, txn, changes, book.number, part)
        changes.write()
        book.told_ms = max(book.told_ms, part.told_ms)
        _go_on_after(part, book)

    def _hear(self, txn: Txn, name: str, book: TargetBook, answered: Answered, now_ms: int) -> None:
        """What others heard in answer to the request that is in flight."""
        told = self._told(txn, name)
        if told is None:
            return
        if answered.outcome is Outcome.REFUSED:
            (key,) = told.subjects
            telling = Telling(key, 0, answered.severity, 0)
            self._refuse(txn, name, book.number, telling, answered.reason, now_ms)
        elif answered.outcome is not Outcome.NOT_TAKEN:
            self._land(txn, name, book.number, sure=answered.outcome is Outcome.DELIVERED, now_ms=now_ms)
        self._clear(txn, name)

    def _refuse(self, txn: Txn, name: str, target: int, telling: Telling, reason: str, now_ms: int) -> Refusal:
        numbers = {book.number: source for source, book in self._books.sources(txn).items()}
        refusal = Refusal(
            kind=Kind.SUBJECT,
            by=name,
            reason=reason,
            first_ms=now_ms,
            last_ms=now_ms,
            source=numbers.get(telling.source, ""),
            ip=telling.ip,
            level=str(telling.level),
            message=telling.message,
        )
        self._clear(txn, name)
        changes = self._changes(txn, now_ms)
        refuse(self._store, txn, changes, refusal, target, telling.severity)
        changes.write()
        return refusal

    def _land(self, txn: Txn, name: str, target: int, *, sure: bool, now_ms: int) -> None:
        told = self._told(txn, name)
        if told is not None:
            changes = self._changes(txn, now_ms)
            changes.tell(told, target, sure=sure)
            changes.write()

    def _told(self, txn: Txn, name: str) -> Told | None:
        stored = txn.get(_IN_FLIGHT + name.encode(), db=self._store.books)
        return None if stored is None else msgpack.decode(stored, type=Told)

    def _set(self, txn: Txn, name: str, told: Told) -> None:
        txn.put(_IN_FLIGHT + name.encode(), msgpack.encode(told), db=self._store.books)

    def _clear(self, txn: Txn, name: str) -> None:
        txn.delete(_IN_FLIGHT + name.encode(), db=self._store.books)


def _go_on_after(part: Carried, book: TargetBook, seq: int = 0) -> None:
    """With the round that `part` is of, which another worker may have begun; `seq` is that of a part of ours."""
    book.round_from = (part.round_from or seq) if part.before else 0
    book.round_next = part.before or b""
