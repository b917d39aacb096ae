"""What was refused, kept with the reason until a person decides: subjects by a target, records by a source's reader."""

from collections.abc import Sequence

from tocsin.relay.books import Kind, Refusal, dump, load_refusal, load_target
from tocsin.relay.changes import Changes, records
from tocsin.relay.reconcile import Rank
from tocsin.relay.store import Store, Txn
from tocsin.signals import ip_key

TARGET_BOOK = b"target/"


def keep(store: Store, txn: Txn, refusal: Refusal) -> None:
    """Into quarantine with it; the same one again is counted."""
    stored = txn.get(refusal.id, db=store.quarantine)
    if stored is not None:
        known = load_refusal(stored)
        refusal.first_ms, refusal.times, refusal.dropped = known.first_ms, known.times + 1, known.dropped
    txn.put(refusal.id, dump(refusal), db=store.quarantine)


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
        """How many there are, given up ones among them."""
        with self._store.reading() as txn:
            return int(txn.stat(self._store.quarantine)["entries"])

    def retry(self, refusal: Refusal, *, now_ms: int) -> None:
        """Take it out. A subject is told again at the next look at its record, if it is still claimed."""
        with self._store.writing() as txn:
            stored = txn.get(TARGET_BOOK + refusal.by.encode(), db=self._store.books)
            if refusal.kind is Kind.SUBJECT and stored is not None:
                changes = Changes(self._store, txn, None, now_ms)
                for key, record in records(self._store, txn, [ip_key(refusal.ip)]):
                    changes.set_rank(key, record, load_target(stored).number, Rank.NOTHING)
                changes.write()
            txn.delete(refusal.id, db=self._store.quarantine)

    def drop(self, refusal: Refusal) -> None:
        """Give it up. A subject is not told for as long as it is claimed."""
        with self._store.writing() as txn:
            if refusal.kind is Kind.RECORD:
                txn.delete(refusal.id, db=self._store.quarantine)
            else:
                refusal.dropped = True
                txn.put(refusal.id, dump(refusal), db=self._store.quarantine)


def refuse(store: Store, txn: Txn, changes: Changes, refusal: Refusal, target: int) -> None:
    """A target will not take a subject: it waits no longer, and lies in quarantine."""
    keep(store, txn, refusal)
    for key, record in records(store, txn, [ip_key(refusal.ip)]):
        changes.set_rank(key, record, target, Rank.REFUSED)
