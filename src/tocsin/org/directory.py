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

LAYOUT = 2  # a file with another one is deleted and made again

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
            self._load(self._file.reader)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        return self._file.cursor()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        records = [(entry.seq, record) for entry in entries if (record := directory_record(entry)) is not None]
        if not entries:
            return
        with self._file.applying(entries[-1].seq) as cursor:
            for seq, record in records:
                if seq > cursor:
                    self._change(seq, record)
        if records:
            # Also when another process applied them: its change has to be seen here too.
            with self._file.telling():
                self._load(self._file.db)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """All rows of a SELECT, for what a part does not keep in memory. Raises OrgError."""
        with self._file.telling():
            return self._file.reader.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _change(self, seq: int, record: DirectoryRecord) -> None:
        for part in self._parts:
            for statement, values in part.changes(record, seq=seq):
                self._file.db.execute(statement, values)

    def _load(self, db: sqlite3.Connection) -> None:
        for part in self._parts:
            part.load(db)
