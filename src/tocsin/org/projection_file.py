"""The SQLite file of a projection: made and recognised, its cursor, and the transaction in which both move.

Derived from the journal and so never the truth: the file may be deleted, and is made again from the journal. Its
cursor moves in the transaction that applies the entries. Several processes may apply; each re-reads the cursor inside
its transaction and skips what another one did. Commits are not synced to disk one by one: after a power cut the file
is whole and some entries behind, which are then applied again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.org.errors import OrgError
from tocsin.org.folder import telling

_LOCK_WAIT_S = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS cursor (seq INTEGER NOT NULL);
INSERT INTO cursor SELECT 0 WHERE NOT EXISTS (SELECT * FROM cursor);
"""
_CURSOR = "SELECT seq FROM cursor"
_ADVANCE = "UPDATE cursor SET seq = ?"


class ProjectionFile:
    """The open file: `db` belongs to the thread that applies, `reader` to one that asks."""

    def __init__(self, path: Path, *, layout: int, tables: str) -> None:
        """
        Open or make the file at `path`.

        Args:
            layout: of its tables; a file with another one is deleted and made again.
            tables: SQL that makes them where there are none.
        Raises: OrgError, when that cannot be.
        """
        self.path = path
        with self.telling():
            self.db = _open(path, layout, tables)
            # Another connection to read with: what is applied must not be seen before it is whole.
            self.reader = _connect(path)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        with self.telling():
            return cursor_of(self.reader)

    @contextmanager
    def applying(self, up_to: int) -> Iterator[int]:
        """One transaction on `db` that ends with the cursor at `up_to`, or not at all. Gives the cursor before."""
        with self.changing():
            cursor = cursor_of(self.db)
            yield cursor
            self.db.execute(_ADVANCE, (max(cursor, up_to),))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One transaction on `db`. Raises OrgError, and nothing was changed."""
        with self.telling():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            finally:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        with self.telling():
            self.reader.close()
            self.db.close()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Errors of SQLite and the file system as OrgErrors that say what to do."""
        try:
            with telling(self.path.parent):
                yield
        except sqlite3.Error as error:
            text = f"{self.path} cannot be used: {error}"
            raise OrgError(text, hint="it can be deleted while the org is stopped: it is made again") from error


def cursor_of(db: sqlite3.Connection) -> int:
    """Seq of the last entry applied, as `db` sees it now."""
    (seq,) = db.execute(_CURSOR).fetchone()
    assert isinstance(seq, int)
    return seq


def delete(path: Path) -> None:
    """Delete the projection at `path`; nobody may have it open."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _open(path: Path, layout: int, tables: str) -> sqlite3.Connection:
    db = _connect(path)
    try:
        (written,) = db.execute("PRAGMA user_version").fetchone()
        if written not in (0, layout):
            db.close()
            delete(path)
            db = _connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {tables} COMMIT;")
        db.execute(f"PRAGMA user_version = {layout}")
    except BaseException:
        db.close()
        raise
    return db


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
