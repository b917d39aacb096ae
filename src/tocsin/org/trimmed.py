"""Up to where the journal has been trimmed, for those who have not applied all that is gone.

What of the forgotten entries still held was said again; what it overruled was not taken back again. A projection that
has applied only some of them would keep that, so it is made anew from what there is: see `retention.py`.
"""

import sqlite3
from collections.abc import Iterator

from tocsin.org.changes import Changes
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.directory import Statement
from tocsin.org.folder import DataFolder
from tocsin.org.log.index import LogIndex
from tocsin.org.records import TRIMMED_TOPIC, DirectoryRecord, JournalTrimmed, org_deed
from tocsin.org.risk_index import RiskIndex

_SET = "INSERT OR REPLACE INTO trimmed SELECT 1, max(?, coalesce((SELECT before_seq FROM trimmed), 0))"


class TrimmedTable:
    """Its part of the directory."""

    tables = (
        "CREATE TABLE IF NOT EXISTS trimmed (one INTEGER PRIMARY KEY CHECK (one = 1), before_seq INTEGER NOT NULL);"
    )

    def __init__(self) -> None:
        self.before = 0

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:  # noqa: ARG002 - part of `Part`
        """See `Part.changes`."""
        if isinstance(record, JournalTrimmed):
            yield _SET, (record.before,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        for (before,) in db.execute("SELECT before_seq FROM trimmed"):
            self.before = before


class Trimmed:
    """Of one org."""

    def __init__(self, table: TrimmedTable, changes: Changes) -> None:
        self._table, self._changes = table, changes

    @property
    def before(self) -> int:
        """Entries before this seq may be gone; 0 when none are."""
        return self._table.before

    async def note(self, before: int, *, at_ms: int) -> None:
        """Say that those before this seq may soon be gone. Raises JournalError."""
        if before > self.before:
            await self._changes.append(TRIMMED_TOPIC, lambda: JournalTrimmed(org_deed(at_ms), before))


def delete_what_missed_it(folder: DataFolder, before: int) -> None:
    """
    Delete the projections in `folder` that have applied some of what may be gone before this seq, and not all.

    Nobody may have it open in this process. Raises OrgError, also when others have to be stopped for it.
    """
    if any(0 < cursor < before - 1 for cursor in _cursors(folder)):
        with folder.alone():
            folder.delete_projections()


def _cursors(folder: DataFolder) -> Iterator[int]:
    for path, kind in ((folder.index, RiskIndex), (folder.feed, Feed), (folder.log, LogIndex)):
        projection = kind(path)
        try:
            yield projection.cursor()
        finally:
            projection.close()
