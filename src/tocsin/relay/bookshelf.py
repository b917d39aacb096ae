"""How the books of sources and targets (`books.py`) stand in the store."""

from collections.abc import Iterator

from tocsin.relay.books import SourceBook, TargetBook, dump, load_source, load_target
from tocsin.relay.store import Store, Txn

_SOURCE, _TARGET = b"source/", b"target/"


class Bookshelf:
    """Those of the sources and targets of a store. Each call is a part of the transaction that it is handed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def source(self, txn: Txn, name: str) -> SourceBook:
        """That of a source; a new one when there is none yet, which is kept."""
        stored = txn.get(_SOURCE + name.encode(), db=self._store.books)
        if stored is not None:
            return load_source(stored)
        book = SourceBook(number=1 + len(self.sources(txn)))
        self.keep_source(txn, name, book)  # at once, so that the next one is given another number
        return book

    def target(self, txn: Txn, name: str) -> TargetBook:
        """The same for a target."""
        stored = txn.get(_TARGET + name.encode(), db=self._store.books)
        if stored is not None:
            return load_target(stored)
        book = TargetBook(number=1 + len(self.targets(txn)))
        self.keep_target(txn, name, book)
        return book

    def sources(self, txn: Txn) -> dict[str, SourceBook]:
        """All sources there ever were."""
        return {name: load_source(stored) for name, stored in self._under(txn, _SOURCE)}

    def targets(self, txn: Txn) -> dict[str, TargetBook]:
        """All targets there ever were."""
        return {name: load_target(stored) for name, stored in self._under(txn, _TARGET)}

    def keep_source(self, txn: Txn, name: str, book: SourceBook) -> None:
        """Write it."""
        txn.put(_SOURCE + name.encode(), dump(book), db=self._store.books)

    def keep_target(self, txn: Txn, name: str, book: TargetBook) -> None:
        """Write it."""
        txn.put(_TARGET + name.encode(), dump(book), db=self._store.books)

    def _under(self, txn: Txn, prefix: bytes) -> Iterator[tuple[str, bytes]]:
        cursor = txn.cursor(db=self._store.books)
        if cursor.set_range(prefix):
            for key, stored in cursor:
                if not key.startswith(prefix):
                    return
                yield key[len(prefix) :].decode(), stored
