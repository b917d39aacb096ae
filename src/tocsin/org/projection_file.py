"""The SQLite file of a projection: made and recognised, its cursor, and the transaction in which both move.

Derived from the journal and so never the truth: the file may be deleted, and is made again from the journal. Its
cursor moves in the transaction that applies the entries. Several processes may apply; each re-reads the cursor inside
its transaction and skips what another one did. Commits are not synced to disk one by one: after a power cut the file
is whole and some entries behind, which are then applied again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tocsin.org.errors import OrgError
from tocsin.org.private_sqlite import connect, telling_of

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
            layout: of its tables; those of a file with another one, which nobody may use, are made again.
            tables: SQL that makes them where there are none.
        Raises: OrgError, when that cannot be.
        """
        self.path = path
        with self.telling():
            self.db = _open(path, layout, tables)
            # Another connection to read with: what is applied must not be seen before it is whole.
            self.reader = connect(path)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        with self.telling():
            return _cursor_of(self.reader)

    def has_applied(self, seq: int) -> bool:
        """Whether somebody applied entry `seq` already: then it need not wait for our lock. For the thread of `db`."""
        with self.telling():
            return _cursor_of(self.db) >= seq

    @contextmanager
    def applying(self, up_to: int) -> Iterator[int]:
        """One transaction on `db` that ends with the cursor at `up_to`, or not at all. Gives the cursor before."""
        with self.changing():
            cursor = _cursor_of(self.db)
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

    def telling(self) -> AbstractContextManager[None]:
        """Errors of SQLite and the file system as OrgErrors that say what to do."""
        return telling_of(self.path, hint="it can be deleted while the org is stopped: it is made again")


def _cursor_of(db: sqlite3.Connection) -> int:
    """Seq of the last entry applied, as `db` sees it now."""
    (seq,) = db.execute(_CURSOR).fetchone()
    assert isinstance(seq, int)
    return seq


def _open(path: Path, layout: int, tables: str) -> sqlite3.Connection:
    db = connect(path)
    try:
        (written,) = db.execute("PRAGMA user_version").fetchone()
        if written not in (0, layout):
            _empty(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {tables} PRAGMA user_version = {layout}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def _empty(db: sqlite3.Connection, path: Path) -> None:
    """
    Drop all tables. Raises OrgError, when anybody else has the file open.

    The file itself stays: one who opens it meanwhile must not be left with a deleted one.
    """
    try:
        db.execute("PRAGMA journal_mode = DELETE")  # SQLite leaves WAL only for one who has the file alone
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the rest says more about it
            raise
        text = f"{path} is in use by another version of tocsin"
        raise OrgError(text, hint="stop that one first; the file is then made again") from error
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        db.execute(f'DROP TABLE "{table}"')
    db.execute("PRAGMA user_version = 0")
    db.execute("COMMIT")
