"""The directory: who may ask, who asserts, and how the org decides. A projection of the journal in one SQLite file.

It is made of parts, one for each kind of thing (`providers`, `tokens`, ...); each brings its tables, says what a record
changes in them, and keeps in memory what every request needs.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from tocsin.journal import Entry
from tocsin.org.projection_file import ProjectionFile
from tocsin.org.records import DirectoryRecord, directory_record

LAYOUT = 5  # a file with another one is made again

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
        self._file = ProjectionFile(path, layout=LAYOUT, tables="".join(part.tables for part in parts))
        with self._file.telling():
            for part in parts:
                part.load(self._file.reader)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        return self._file.cursor()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        records = [(entry.seq, record) for entry in entries if (record := directory_record(entry)) is not None]
        if not entries or (not records and self._file.has_applied(entries[-1].seq)):
            return
        with self._file.applying(entries[-1].seq) as cursor:
            touched = self._change(records, after=cursor)
        # Also those that another process applied: its changes have to be seen here too.
        with self._file.telling():
            for part in touched:
                part.load(self._file.db)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows of a SELECT, for what a part does not keep in memory. Raises OrgError."""
        with self._file.telling():
            return self._file.reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _change(self, records: Sequence[tuple[int, DirectoryRecord]], *, after: int) -> list[Part]:
        """Apply those with a seq beyond `after`. Returns: the parts that any of all of them is about."""
        touched = []
        for part in self._parts:
            changes = [(seq, list(part.changes(record, seq=seq))) for seq, record in records]
            for statement, values in (one for seq, some in changes if seq > after for one in some):
                self._file.db.execute(statement, values)
            if any(some for _, some in changes):
                touched.append(part)
        return touched
