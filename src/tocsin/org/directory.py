"""The directory: who may ask, who asserts, and how the org decides. A projection of the journal in one SQLite file.

It is made of parts, one for each kind of thing (`providers`, `tokens`, ...); each brings its tables, says what a record
changes in them, and keeps in memory what every request needs. Here are the file, the cursor and the transaction.

Derived from the journal and so never the truth: the file may be deleted, and is made again from the journal. Its
cursor moves in the transaction that applies the entries. Several processes may apply; each re-reads the cursor inside
its transaction and skips what another one did. Commits are not synced to disk one by one: after a power cut the file
is whole and some entries behind, which are then applied again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tocsin.journal import Entry
from tocsin.org.errors import OrgError
from tocsin.org.folder import telling
from tocsin.org.records import DirectoryRecord, directory_record

LAYOUT = 2  # a file with another one is deleted and made again
_LOCK_WAIT_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS cursor (seq INTEGER NOT NULL);
INSERT INTO cursor SELECT 0 WHERE NOT EXISTS (SELECT * FROM cursor);
"""
_CURSOR = "SELECT seq FROM cursor"
_ADVANCE = "UPDATE cursor SET seq = ?"

Statement = tuple[str, tuple[object, ...]]
"""One SQL statement and its values."""


class Part(Protocol):
    """One kind of thing in the directory."""

    tables: str
    """SQL that makes its tables where there are none."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterable[Statement]:
        """The statements that apply `record`, which came with entry `seq`; none when it is about something else."""
        ...

    def load(self, db: sqlite3.Connection) -> None:
        """Read into memory what is needed at hand: at the start, and after entries of the directory were applied."""
        ...


class Directory:
    """The open projection. `apply` may run in another thread than the rest, which is quick and belongs to one."""

    def __init__(self, path: Path, parts: Sequence[Part]) -> None:
        """Open or make the file at `path`. Raises OrgError when that cannot be."""
        self.path = path
        self._parts = parts
        with self._telling():
            self._db = _open(path, parts)
            # Another connection to read with: what is applied must not be seen before it is whole.
            self._reader = _connect(path)
            self._load(self._reader)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        with self._telling():
            return _cursor(self._reader)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        records = [(entry.seq, record) for entry in entries if (record := directory_record(entry)) is not None]
        if not entries:
            return
        with self._telling():
            if not records and _cursor(self._db) >= entries[-1].seq:
                return  # another process was quicker: do not make it wait for our lock
            self._db.execute("BEGIN IMMEDIATE")
            try:
                cursor = _cursor(self._db)
                for seq, record in records:
                    if seq > cursor:
                        self._change(seq, record)
                self._db.execute(_ADVANCE, (max(cursor, entries[-1].seq),))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if records:
                # Also when another process applied them: its change has to be seen here too.
                self._load(self._db)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows of a SELECT, for what a part does not keep in memory. Raises OrgError."""
        with self._telling():
            return self._reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        with self._telling():
            self._reader.close()
            self._db.close()

    def _change(self, seq: int, record: DirectoryRecord) -> None:
        for part in self._parts:
            for statement, values in part.changes(record, seq=seq):
                self._db.execute(statement, values)

    def _load(self, db: sqlite3.Connection) -> None:
        for part in self._parts:
            part.load(db)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            with telling(self.path.parent):
                yield
        except sqlite3.Error as error:
            text = f"{self.path} cannot be used: {error}"
            raise OrgError(text, hint="it can be deleted while the org is stopped: it is made again") from error


def _open(path: Path, parts: Sequence[Part]) -> sqlite3.Connection:
    db = _connect(path)
    try:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            db.close()
            delete(path)
            db = _connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript("".join(["BEGIN IMMEDIATE;", _TABLES, *(part.tables for part in parts), "COMMIT;"]))
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    except BaseException:
        db.close()
        raise
    return db


def delete(path: Path) -> None:
    """Delete the projection at `path`; nobody may have it open."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _cursor(db: sqlite3.Connection) -> int:
    (seq,) = db.execute(_CURSOR).fetchone()
    assert isinstance(seq, int)
    return seq


def _connect(path: Path) -> sqlite3.Connection:
    _make(path)
    return sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)


def _make(path: Path) -> None:
    """An empty file for its owner alone, where there is none; SQLite would let everybody read it."""
    try:
        # EXCL, so that one that is there is not even opened: to close it again would drop the locks that this process'
        # other connections hold on it, and the next process to end would take the write-ahead log away from under us.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
