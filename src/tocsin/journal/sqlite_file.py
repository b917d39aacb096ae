"""A journal's SQLite file: making it, knowing it, and the few statements that run on it. Blocking; no event loop.

WAL and `synchronous=FULL`: a commit is one fsync of the write-ahead log, after which it survives a power cut. Readers
and the one writer do not block each other, within a process or between several. `seq` is an AUTOINCREMENT key, given
inside the writer's exclusive transaction: no reader ever sees a higher seq before a lower one, and none comes twice.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tocsin.journal.group_commit import Append, Outcome, Stale, Written
from tocsin.journal.protocol import Entry
from tocsin.journal.rules import one_batch
from tocsin.journal.sqlite_errors import journal_error, not_a_journal, too_new

APPLICATION_ID = 0x746F_6373  # "tocs": says whose file it is
FORMAT = 1  # in user_version; raised by a change that older versions cannot read

# 8 KiB pages: a body of 70 kB costs 10 % less CPU than with 4 KiB, and an entry of 200 bytes still a small commit.
_LAYOUT = f"""
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX entries_by_topic ON entries (topic);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_ADD = "INSERT INTO entries (topic, body) VALUES (?, ?)"
_LAST = "SELECT max(seq) FROM entries"
_LAST_OF_TOPIC = "SELECT max(seq) FROM entries WHERE topic = ?"
_GET = "SELECT seq, topic, body FROM entries WHERE seq = ?"
_NEXT_TOPIC = "SELECT min(topic) FROM entries WHERE topic > ? AND topic < ?"
_FORGET = "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE topic = ? AND seq < ? ORDER BY seq LIMIT ?)"
_READ = "SELECT seq, topic, body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?"


class JournalFile:
    """An open journal file. `write` belongs to one thread and the reading methods to one other."""

    def __init__(self, path: Path, *, create: bool, lock_wait_s: float) -> None:
        """Raises JournalError when there is no journal at `path` and none is to be or can be made."""
        self.path = path
        with self._telling("cannot be opened"):
            if create and not path.exists():
                _make(path)
            self._reader = _connect(path, lock_wait_s)
            try:
                recognise(self._reader, path)
                self._writer = _connect(path, lock_wait_s)
            except BaseException:
                self._reader.close()
                raise

    def write(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """All of `batch` but what is stale, in one transaction. An error that is raised means: nothing of it."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._append(append) for append in batch]
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.rollback()  # harmless when SQLite did so itself
            raise
        return outcomes

    def forget(self, topic: str, before: int, limit: int) -> int:
        """
        At most `limit` entries of what `Journal.forget` deletes, in one transaction; for the thread that writes.

        Returns: how many; fewer than `limit` when that was all.
        """
        deleted = 0
        with self._telling("cannot be trimmed"):
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                for one in _topics(self._writer, topic):
                    if deleted == limit:
                        break
                    end = min(_storable(before), last_seq(self._writer, one))
                    deleted += self._writer.execute(_FORGET, (one, end, limit - deleted)).rowcount
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.rollback()
                raise
        return deleted

    def last(self, topic: str | None) -> int:
        """See `Journal.last`."""
        with self._telling("cannot be read"):
            return last_seq(self._reader, topic)

    def get(self, seq: int) -> Entry | None:
        """See `Journal.get`."""
        with self._telling("cannot be read"):
            row = self._reader.execute(_GET, (_storable(seq),)).fetchone()
            return Entry(*row) if row else None

    def read(self, after: int, limit: int) -> list[Entry]:
        """See `Journal.read`."""
        wanted = (_storable(after), _storable(limit))
        with self._telling("cannot be read"), closing(self._reader.execute(_READ, wanted)) as rows:
            return one_batch(Entry(*row) for row in rows)

    def close(self) -> None:
        """Close both connections; the last one of all processes folds the write-ahead log into the file."""
        with self._telling("cannot be closed"):
            self._reader.close()
            self._writer.close()

    def _append(self, append: Append) -> Outcome:
        if append.expect_last is not None:
            last = last_seq(self._writer, append.topic)
            if last != append.expect_last:
                return Stale(last)
        seq = self._writer.execute(_ADD, (append.topic, append.body)).lastrowid
        assert seq is not None
        return Written(seq)

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise journal_error(self.path, what, error) from error


def _make(path: Path) -> None:
    """A new empty journal, readable by its owner alone: whole under its name, or not there at all."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    os.close(handle)
    try:
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            connection.executescript(_LAYOUT)
        os.link(unfinished, path)
    except FileExistsError:
        return  # another process was quicker, and its journal is as good
    finally:
        Path(unfinished).unlink()


def _connect(path: Path, lock_wait_s: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"  # rw: never make a file here
    connection = sqlite3.connect(uri, uri=True, timeout=lock_wait_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Raises JournalError when what is open is no journal, or one of a newer version."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (written,) = connection.execute("PRAGMA user_version").fetchone()
    if owner != APPLICATION_ID:
        raise not_a_journal(path)
    if written > FORMAT:
        raise too_new(path, written, FORMAT)


def last_seq(connection: sqlite3.Connection, topic: str | None) -> int:
    """See `Journal.last`."""
    if topic is not None and topic.endswith("."):
        return max((last_seq(connection, one) for one in _topics(connection, topic)), default=0)
    rows = connection.execute(_LAST) if topic is None else connection.execute(_LAST_OF_TOPIC, (topic,))
    (last,) = rows.fetchone()
    return last or 0


def _topics(connection: sqlite3.Connection, asked: str) -> Iterator[str]:
    """The one, or those of a branch: one step of the index for each, however many entries it has."""
    if not asked.endswith("."):
        yield asked
        return
    topic, beyond = asked, asked[:-1] + chr(ord(".") + 1)
    while (topic := connection.execute(_NEXT_TOPIC, (topic, beyond)).fetchone()[0]) is not None:
        yield topic


def _storable(number: int) -> int:
    """The nearest 64-bit number: sqlite3 raises OverflowError for others, and a seq beyond is beyond all entries."""
    return max(-(2**63), min(number, 2**63 - 1))
