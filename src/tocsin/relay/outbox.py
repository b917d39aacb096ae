"""The outbox: what is claimed, what each target was told, and what is to be told next; durable.

Every change is one transaction, synced to disk before it returns, in which records, pending set, due times and the
position of a source move together. How long it takes to find the best work does not depend on how much there is.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from tocsin.relay.books import SourceBook, TargetBook
from tocsin.relay.bookshelf import Bookshelf
from tocsin.relay.changes import Changes, Served, pending_count, records
from tocsin.relay.in_flight import InFlight
from tocsin.relay.intake import Intake, Prepared, prepare_signals
from tocsin.relay.plan import Telling
from tocsin.relay.quarantine import Quarantine, keep
from tocsin.relay.reconcile import PENDING, Rank, rank, until_ms
from tocsin.relay.record import Record, decode
from tocsin.relay.store import ROOM_BYTES, Store, Txn, due_fields, pending_entries, pending_fields, walk
from tocsin.signals import Signal

_TERMS, _REVIEW_FROM = b"terms", b"review-from"


class Backlog(Struct, frozen=True):
    """How much waits with one rank, and since when the first of it."""

    count: int
    oldest_ms: int | None


class Best(NamedTuple):
    """The best work of a target."""

    tellings: list[Telling]
    """In its order."""
    stale: list[bytes]
    """Keys of IPs on the way there that nothing is to be told about any more."""


class Outbox:
    """The open outbox. Not for two threads at a time; several processes may open one."""

    def __init__(self, path: Path, *, room_bytes: int = ROOM_BYTES) -> None:
        """Open or make the one in the folder `path`. Raises RelayError when that cannot be."""
        self.store = Store(path, room_bytes=room_bytes)
        self.quarantine = Quarantine(self.store)
        self._books = Bookshelf(self.store)
        self.in_flight = InFlight(self.store, self._books, self._changes)
        self._served: dict[int, Served] = {}
        self._may_walk = self._may_review = True  # no other process begins to: looked up once, then remembered

    # Sources and targets

    def source(self, name: str) -> SourceBook:
        """The source of that name; a new one when there is none yet."""
        with self.store.writing() as txn:
            return self._books.source(txn, name)

    def begin_reading(self, name: str) -> SourceBook:
        """A source starts again from its position: what it lists now is told apart from what it listed before."""
        with self.store.writing() as txn:
            book = self._books.source(txn, name)
            book.generation, book.stopped = book.generation + 1, ""
            self._books.keep_source(txn, name, book)
            return book

    def note_source(self, name: str, *, stopped: str) -> None:
        """Why nothing comes from a source now; empty when it works again."""
        with self.store.writing() as txn:
            book = self._books.source(txn, name)
            book.stopped = stopped
            self._books.keep_source(txn, name, book)

    def sources(self) -> dict[str, SourceBook]:
        """All sources there ever were."""
        with self.store.reading() as txn:
            return self._books.sources(txn)

    def target(self, name: str) -> TargetBook:
        """The target of that name; a new one when there is none yet."""
        with self.store.writing() as txn:
            return self._books.target(txn, name)

    def targets(self) -> dict[str, TargetBook]:
        """All targets there ever were."""
        with self.store.reading() as txn:
            return self._books.targets(txn)

    def serve(self, targets: Iterable[Served], *, terms: bytes = b"") -> None:
        """
        From now on, work is found for these targets, and for no others.

        Args:
            terms: what they are to be told, in any form; when that has changed, all records are reviewed.
        """
        self._served = {target.policy.target: target for target in targets}
        with self.store.writing() as txn:
            if txn.get(_TERMS, db=self.store.books) != terms:
                txn.put(_TERMS, terms, db=self.store.books)
                txn.put(_REVIEW_FROM, b"", db=self.store.books)
                self._may_review = True

    def review_step(self, *, now_ms: int, limit: int) -> bool:
        """One small step of deciding anew about everything. Returns: False when there was nothing to do."""
        if not self._may_review:
            return False
        with self.store.reading() as txn:
            start = txn.get(_REVIEW_FROM, db=self.store.books)
        if start is None:
            self._may_review = False
            return False
        with self.store.writing() as txn:
            step = walk(self.store, txn, start, limit + 1)
            changes = self._changes(txn, now_ms)
            for key, stored in step[:limit]:
                record = decode(stored)
                changes.settle(key, record, record.standings, record.claims)
            changes.write()
            if len(step) > limit:
                txn.put(_REVIEW_FROM, step[limit][0], db=self.store.books)
            else:
                txn.delete(_REVIEW_FROM, db=self.store.books)
            return True

    # What comes in

    def take_in(self, batches: Sequence[Prepared], *, now_ms: int) -> None:
        """Keep all that `batches` say, in one transaction: durable when it returns."""
        with self.store.writing() as txn:
            intake = Intake(partial(self._books.source, txn), now_ms)
            for batch in batches:
                intake.add(batch)
                self._may_walk = self._may_walk or batch.ends_list
            changes = self._changes(txn, now_ms)
            changes.fold(intake.claims)
            changes.write()
            for refusal in intake.refusals:
                intake.books[refusal.by].unkept += not keep(self.store, txn, refusal)
            for name, book in intake.books.items():
                self._books.keep_source(txn, name, book)

    def take_in_mended(self, signal: Signal, *, now_ms: int) -> None:
        """Keep one signal for the relay, which may run meanwhile in another process and decides what to do about it."""
        (batch,) = prepare_signals([signal])
        with self.store.writing() as txn:
            book = self._books.source(txn, batch.source)
            intake = Intake(lambda _: book, now_ms)
            intake.add(batch)
            changes = Changes(self.store, txn, None, now_ms)
            changes.fold(intake.claims)
            changes.write()

    def let_go_step(self, *, now_ms: int, limit: int) -> bool:
        """One small step of letting go what a list no longer holds. Returns: False when there was nothing to do."""
        if not self._may_walk:
            return False
        walking = [name for name, book in self.sources().items() if book.walk_from is not None]
        if not walking:
            self._may_walk = False
            return False
        with self.store.writing() as txn:
            book = self._books.source(txn, walking[0])
            step = walk(self.store, txn, book.walk_from or b"", limit + 1)
            changes = self._changes(txn, now_ms)
            for key, stored in step[:limit]:
                record = decode(stored)
                claims = [c for c in record.claims if c.source != book.number or c.generation >= book.let_go_below]
                if len(claims) < len(record.claims):
                    changes.settle(key, record, record.standings, claims)
            changes.write()
            if len(step) > limit:
                book.walk_from = step[limit][0]
            else:
                book.walk_from, book.walk_again = (b"" if book.walk_again else None), False
            self._books.keep_source(txn, walking[0], book)
            return True

    def wake(self, *, now_ms: int, limit: int) -> int:
        """Look again at records whose time has come, at most `limit`. Returns: how many there were."""
        with self.store.reading() as txn:
            due = list(self._due_keys(txn, now_ms, limit))
        if due:
            self.look_again(due, now_ms=now_ms)
        return len(due)

    def look_again(self, keys: Collection[bytes], *, now_ms: int) -> None:
        """Decide anew about these IPs."""
        with self.store.writing() as txn:
            changes = self._changes(txn, now_ms)
            for key, record in records(self.store, txn, sorted(set(keys))):
                changes.settle(key, record, record.standings, record.claims)
            changes.write()

    # Work of a target

    def first(self, target: int) -> tuple[int, int] | None:
        """Rank of the best that waits, and since when (ms)."""
        with self.store.reading() as txn:
            for entry in pending_entries(self.store, txn, target):
                found, since_ms, _ = pending_fields(entry)
                return found, since_ms
        return None

    def pending(self, target: int, *ranks: Rank) -> int:
        """How much waits, of some ranks or of all."""
        with self.store.reading() as txn:
            return sum(pending_count(self.store, txn, target, each) for each in ranks or PENDING)

    def backlog(self, target: int) -> dict[Rank, Backlog]:
        """What waits, by rank."""
        with self.store.reading() as txn:
            return {each: self._backlog_of(txn, target, each) for each in PENDING}

    def best(self, target: int, *, now_ms: int, at_most: int, without: Collection[bytes] = frozenset()) -> Best:
        """
        The best work of a target.

        Args:
            without: keys of IPs to leave out; not more than a few thousand.
        """
        tellings: list[Telling] = []
        stale: list[bytes] = []
        with self.store.reading() as txn:
            waiting = (pending_fields(entry)[2] for entry in pending_entries(self.store, txn, target))
            keys = (key for key in waiting if key not in without)
            # What has just ended is passed over, though not without end: a crowd of those is cleared away first.
            while len(tellings) < at_most and len(stale) < 4 * at_most:
                some = list(islice(keys, at_most - len(tellings)))
                if not some:
                    break
                found = self._tellings(txn, some, target, now_ms)
                tellings += found
                if len(found) < len(some):
                    worth = {telling.key for telling in found}
                    stale += [key for key in some if key not in worth]
        return Best(tellings, stale)

    def still(self, target: int, keys: Sequence[bytes], *, now_ms: int) -> list[Telling]:
        """What is still to be told about these IPs, in their order."""
        with self.store.reading() as txn:
            return self._tellings(txn, keys, target, now_ms)

    # The whole

    def __len__(self) -> int:
        """How many IPs something is held about."""
        with self.store.reading() as txn:
            return int(txn.stat(self.store.ips)["entries"])

    def dump(self) -> Iterator[tuple[bytes, Record]]:
        """Every IP key with its record, in key order."""
        with self.store.reading() as txn:
            for key, stored in txn.cursor(db=self.store.ips):
                yield key, decode(stored)

    def close(self) -> None:
        """Let go."""
        self.store.close()

    def _tellings(self, txn: Txn, keys: Sequence[bytes], target: int, now_ms: int) -> list[Telling]:
        served, found = self._served[target], []
        policy = served.policy
        held = dict(records(self.store, txn, sorted(keys)))
        for key in keys:
            record = held[key]
            standing, want = record.standing(target), served.wants(key, record.claims, now_ms)
            of_rank, since_ms = rank(want, standing, policy, now_ms), standing.since_ms
            if of_rank in (Rank.NOTHING, Rank.REFUSED):
                continue
            if want is None:
                found.append(Telling(key, of_rank, 0, 0, since_ms=since_ms))
            else:
                ends_ms, message = until_ms(want, policy, now_ms), want.message.decode()
                found.append(Telling(key, of_rank, want.severity, ends_ms, message, want.source, since_ms))
        return found

    def _due_keys(self, txn: Txn, now_ms: int, limit: int) -> Iterator[bytes]:
        for _, entry in zip(range(limit), txn.cursor(db=self.store.due).iternext(values=False), strict=False):
            moment_ms, key = due_fields(entry)
            if moment_ms > now_ms:
                return
            yield key

    def _backlog_of(self, txn: Txn, target: int, of_rank: Rank) -> Backlog:
        count = pending_count(self.store, txn, target, of_rank)
        entry = next(pending_entries(self.store, txn, target, of_rank), None) if count else None
        return Backlog(count, None if entry is None else pending_fields(entry)[1])

    def _changes(self, txn: Txn, now_ms: int) -> Changes:
        return Changes(self.store, txn, self._served, now_ms)
