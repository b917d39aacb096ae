"""What the bouncers' feed needs besides journal and index: when assertions end, and how far each bouncer has come.

    ends    when assertions end -> in which journal entries they are: a projection of the journal
    pulls   how far each bouncer has come: known here alone

A bouncer is told only what has changed since it asked last. What was said since then stands in the journal; what has
ended since then does not, so here is a row for each moment and entry, of up to 1,000 IPs. Both are kept in one SQLite
file that may be deleted: the ends are made again from the journal, and a bouncer that is not known is told everything.
Bouncers that have been away for longer than ends are kept are told everything too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tocsin.journal import Entry
from tocsin.org.assertions import life_of
from tocsin.org.projection_file import ProjectionFile
from tocsin.org.records import RiskCarried, asserted_record

LAYOUT = 1  # a file with another one is deleted and made again
KEPT_MS = 24 * 3600 * 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS ends (
    at_ms INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (at_ms, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pulls (bouncer_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL);
"""
_ADD = "INSERT OR IGNORE INTO ends VALUES (?, ?)"
_FORGET = "DELETE FROM ends WHERE at_ms < ?"
_ENDED = "SELECT at_ms, seq FROM ends WHERE (at_ms, seq) > (?, ?) AND at_ms <= ? ORDER BY at_ms, seq LIMIT ?"
_PULL = "SELECT seq, at_ms FROM pulls WHERE bouncer_id = ?"
_PULLED = "INSERT OR REPLACE INTO pulls VALUES (?, ?, ?)"


class Pull(NamedTuple):
    """How far a bouncer has come: told of all entries up to `seq`, and of all that ended up to `at_ms`."""

    seq: int
    at_ms: int


class End(NamedTuple):
    """At this moment some assertions of this entry end."""

    at_ms: int
    seq: int


class Feed:
    """The open file. A projection; `apply` and `pulled` belong to one thread, the rest to another."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`. Raises OrgError when that cannot be."""
        self._file = ProjectionFile(path, layout=LAYOUT, tables=_TABLES)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        return self._file.cursor()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        if not entries:
            return
        with self._file.applying(entries[-1].seq) as cursor:
            for entry in entries:
                if entry.seq > cursor:
                    self._apply(entry)

    def ended(self, after: End, until_ms: int, *, limit: int) -> list[End]:
        """The next ends after `after`, in order, up to and at `until_ms`."""
        with self._file.telling():
            return [End(*row) for row in self._file.reader.execute(_ENDED, (*after, until_ms, limit))]

    def pull(self, bouncer_id: str) -> Pull | None:
        """How far this bouncer has come; None when that is not known."""
        with self._file.telling():
            row = self._file.reader.execute(_PULL, (bouncer_id,)).fetchone()
            return None if row is None else Pull(*row)

    def pulled(self, bouncer_id: str, pull: Pull) -> None:
        """From now on this bouncer has come this far; also after a restart."""
        with self._file.changing():
            self._file.db.execute(_PULLED, (bouncer_id, *pull))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _apply(self, entry: Entry) -> None:
        record = asserted_record(entry)
        if record is None:
            return
        now_ms = record.deed.at_ms
        if isinstance(record, RiskCarried):
            ends = {event.expires_ms for event in record.events}
        else:
            ends = {life_of(event, received_ms=now_ms).expires_ms for event in record.events}
        self._file.db.executemany(_ADD, [(at_ms, entry.seq) for at_ms in ends if at_ms > now_ms])
        self._file.db.execute(_FORGET, (now_ms - KEPT_MS,))
