"""Up to where the journal has been trimmed, for those who have not applied all that is gone.

What of the forgotten entries still held was said again; what it overruled was not taken back again. An index that has
applied only some of them would keep that, so it is made anew, and leaves out all that may be gone: see `retention.py`.

What is about to go is noted in the journal first. So who asks the journal's leader how far the directory has come, and
then finds no note, has read nothing with a gap before. What was read since is not known to be whole until the next
look.
"""

import sqlite3
from collections.abc import Iterator

from tocsin.org.changes import Changes
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.folder import DataFolder
from tocsin.org.log.index import LogIndex
from tocsin.org.marker import mark_whole, whole_up_to
from tocsin.org.projector import Projector
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


class Outrun(OrgError):
    """What was not applied here is gone from the journal. The projections are made anew at the next start."""

    def __init__(self, before: int) -> None:
        super().__init__(f"entries before {before} are gone, and were not all applied here", hint="start it again")


class Whole:
    """Up to where the projections of a folder were made of all there was."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._up_to = self._kept = whole_up_to(folder.path)

    async def look(self, projector: Projector, trimmed: Trimmed) -> None:
        """Find out whether all that is applied was there when it was read. Raises Outrun when not; JournalError."""
        applied = projector.applied
        await projector.catch_up_first()  # asks the leader: a note that somebody may have acted on is known now
        if self._up_to < trimmed.before - 1:
            raise Outrun(trimmed.before)
        self._up_to = max(self._up_to, applied)

    def keep(self) -> None:
        """Let the folder remember it; when it does not, more is made anew than need be. Raises OrgError."""
        if self._up_to != self._kept:
            mark_whole(self._folder.path, self._up_to)
            self._kept = self._up_to


def begin_anew_if_outrun(folder: DataFolder, before: int) -> bool:
    """
    Delete the projections in `folder` that may have applied only some of what may be gone before this seq.

    Nobody may have it open in this process.
    Returns: whether it did.
    Raises: OrgError, also when others have to be stopped for it.
    """
    outrun = False
    if whole_up_to(folder.path) < before - 1:
        with folder.in_use():
            outrun = any(_cursors(folder))
        if outrun:
            with folder.alone():
                folder.delete_projections()
    with folder.in_use():
        pass_over_what_is_gone(folder, before)
    return outrun


def pass_over_what_is_gone(folder: DataFolder, before: int) -> None:
    """Let an index in `folder` that is new begin behind what may be gone before this seq. Raises OrgError."""
    gone = max(0, before - 1)
    index = RiskIndex(folder.index)
    try:
        if index.pass_over(gone):
            mark_whole(folder.path, gone)
    finally:
        index.close()


def _cursors(folder: DataFolder) -> Iterator[int]:
    for path, kind in ((folder.index, RiskIndex), (folder.feed, Feed), (folder.log, LogIndex)):
        projection = kind(path)
        try:
            yield projection.cursor()
        finally:
            projection.close()
