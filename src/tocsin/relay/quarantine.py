"""What was refused, kept with the reason until a person decides: subjects by a target, records by a source's reader."""

from collections.abc import Sequence

from tocsin.relay.bookshelf import Bookshelf
from tocsin.relay.changes import Changes, records
from tocsin.relay.refusal import Kind, Refusal, dump_refusal, load_refusal
from tocsin.relay.store import Store, Txn
from tocsin.signals import ip_key

RECORDS_KEPT = 1_000
"""Of one source and reason; a person needs no more to see what is wrong. The rest is counted."""
_LISTED = b"listed/"


def keep(store: Store, txn: Txn, refusal: Refusal) -> bool:
    """
    Into quarantine with it; the same one again is counted.

    Returns: whether it was kept; no record is while there are enough of its kind.
    """
    stored = txn.get(refusal.id, db=store.quarantine)
    if stored is not None:
        known = load_refusal(stored)
        refusal.first_ms, refusal.times, refusal.dropped = known.first_ms, known.times + 1, known.dropped
    elif refusal.kind is Kind.RECORD and _listed(store, txn, _listed_key(refusal)) >= RECORDS_KEPT:
        return False
    else:
        _count(store, txn, refusal, 1)
    txn.put(refusal.id, dump_refusal(refusal), db=store.quarantine)
    return True


class Quarantine:
    """What lies there. Works while a relay runs, too: several processes may have the store open."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> Sequence[Refusal]:
        """The latest first."""
        with self._store.reading() as txn:
            found = [load_refusal(stored) for _, stored in txn.cursor(db=self._store.quarantine)]
        return sorted((one for one in found if not one.dropped), key=lambda one: -one.last_ms)

    def count(self) -> int:
        """How many `all` gives."""
        with self._store.reading() as txn:
            cursor, found = txn.cursor(db=self._store.books), 0
            if cursor.set_range(_LISTED):
                for key, stored in cursor:
                    if not key.startswith(_LISTED):
                        break
                    found += int.from_bytes(stored)
            return found

    def retry(self, refusal: Refusal, *, now_ms: int) -> None:
        """Take it out. A subject is told again at the next look at its record, if it is still claimed."""
        with self._store.writing() as txn:
            book = Bookshelf(self._store).targets(txn).get(refusal.by)
            if refusal.kind is Kind.SUBJECT and book is not None:
                changes = Changes(self._store, txn, None, now_ms)
                for key, record in records(self._store, txn, [ip_key(refusal.ip)]):
                    changes.set_refused(key, record, book.number, 0)
                changes.write()
            self._take_out(txn, refusal)

    def drop(self, refusal: Refusal) -> None:
        """Give it up. A subject is not told at this level for as long as it is claimed."""
        with self._store.writing() as txn:
            if self._take_out(txn, refusal) and refusal.kind is Kind.SUBJECT:
                refusal.dropped = True
                txn.put(refusal.id, dump_refusal(refusal), db=self._store.quarantine)

    def _take_out(self, txn: Txn, refusal: Refusal) -> bool:
        """Returns: False when somebody else has meanwhile."""
        there = txn.delete(refusal.id, db=self._store.quarantine)
        if there:
            _count(self._store, txn, refusal, -1)
        return there


def refuse(store: Store, txn: Txn, changes: Changes, refusal: Refusal, target: int, severity: int) -> None:
    """A target will not take a subject with this severity: it waits no longer, and lies in quarantine."""
    keep(store, txn, refusal)
    for key, record in records(store, txn, [ip_key(refusal.ip)]):
        changes.set_refused(key, record, target, record.standing(target).refused | 1 << severity)


def _count(store: Store, txn: Txn, refusal: Refusal, change: int) -> None:
    key = _listed_key(refusal)
    txn.put(key, (_listed(store, txn, key) + change).to_bytes(8), db=store.books)


def _listed(store: Store, txn: Txn, key: bytes) -> int:
    return int.from_bytes(txn.get(key, db=store.books, default=b""))


def _listed_key(refusal: Refusal) -> bytes:
    return _LISTED + f"{refusal.by}/{refusal.why}".encode()
