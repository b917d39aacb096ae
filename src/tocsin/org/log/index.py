"""Where in the journal the events of the System Log are: a projection in one SQLite file, a short row for each event.

    events   place (seq * 16 + number of the event in its entry), when it was published, its type, a hash of its actor
    types    number of an event type -> its name
    names    what a thing was called and set to from which entry on: later entries give its id alone

An event itself is made from its entry when it is asked for. Places grow as entries were persisted, so their order is
the order of persistence. State and cursor move in one transaction; see `projection_file`.
"""

import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tocsin.journal import Entry
from tocsin.org.log.draft import MOST_EVENTS, Known, Named
from tocsin.org.log.render import drafts, names
from tocsin.org.projection_file import ProjectionFile
from tocsin.org.records import Record, record_of

LAYOUT = 1  # a file with another one is made again
_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    place INTEGER PRIMARY KEY, published_ms INTEGER NOT NULL, type INTEGER NOT NULL, actor INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (published_ms);
CREATE TABLE IF NOT EXISTS types (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS names (
    id TEXT NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (id, seq)
) WITHOUT ROWID;
"""
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?)"
_NAME = "INSERT INTO names VALUES (?, ?, ?, ?)"
_NAMED = "SELECT name, state FROM names WHERE id = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
_TYPE = "SELECT number FROM types WHERE name = ?"
_NEW_TYPE = "INSERT INTO types (name) VALUES (?)"
_TYPES = "SELECT number, name FROM types"
_OLD = "SELECT place FROM events WHERE published_ms < ? ORDER BY published_ms LIMIT ?"
_FORGET = "DELETE FROM events WHERE place = ?"
_STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's machine: a millisecond or so
_Row = tuple[int, int, int, int]


class LogIndex:
    """The open projection. What asks belongs to one thread, what applies and forgets to another."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`. Raises OrgError when that cannot be."""
        self._file = ProjectionFile(path, layout=LAYOUT, tables=_TABLES)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        return self._file.cursor()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        if not entries or self._file.has_applied(entries[-1].seq):
            return
        records = [(entry.seq, record) for entry in entries if (record := record_of(entry)) is not None]
        with self._file.applying(entries[-1].seq) as cursor:
            self._add([(seq, record) for seq, record in records if seq > cursor])

    def forget(self, *, before_ms: int, limit: int) -> int:
        """Forget at most `limit` of the events that were published before. Returns: how many it were."""
        with self._file.changing():
            old = self._file.db.execute(_OLD, (before_ms, limit)).fetchall()
            self._file.db.executemany(_FORGET, old)
        return len(old)

    def types(self) -> dict[str, int]:
        """The number of each event type that there ever was, by name."""
        return {name: number for number, name in self.select(_TYPES)}

    def known(self, seq: int) -> Known:
        """What things were before entry `seq`. What it gives raises OrgError."""
        return lambda thing: _named(self.select(_NAMED, (thing, seq)))

    def select(
        self, statement: str, values: Sequence[object] = (), *, deadline: float = math.inf
    ) -> list[tuple[Any, ...]]:
        """All rows of a SELECT on the tables above. Raises OrgError, also beyond `deadline` of the monotonic clock."""
        reader = self._file.reader
        with self._file.telling():
            reader.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
            return reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _add(self, records: Iterable[tuple[int, Record]]) -> None:
        db = self._file.db
        for seq, record in records:
            db.executemany(_ADD, list(self._rows(seq, record)))
            db.executemany(_NAME, [(thing, seq, *named) for thing, named in names(record)])

    def _rows(self, seq: int, record: Record) -> Iterator[_Row]:
        def known(thing: str) -> Named | None:
            return _named(self._file.db.execute(_NAMED, (thing, seq)).fetchall())

        for number, draft in enumerate(drafts(record, known)):
            yield place_of(seq, number), draft.deed.at_ms, self._type(draft.event_type), actor_key(draft.actor.id)

    def _type(self, name: str) -> int:
        row = self._file.db.execute(_TYPE, (name,)).fetchone()
        number = row[0] if row else self._file.db.execute(_NEW_TYPE, (name,)).lastrowid
        assert isinstance(number, int)
        return number


def place_of(seq: int, number: int) -> int:
    """Of event `number`, from 0, of entry `seq`."""
    assert number < MOST_EVENTS
    return seq * MOST_EVENTS + number


def actor_key(actor_id: str) -> int:
    """64 bits to find an actor's events by; others may share them, so look at the event too."""
    digest = hashlib.blake2b(actor_id.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _named(rows: list[tuple[Any, ...]]) -> Named | None:
    return Named(*rows[0]) if rows else None
