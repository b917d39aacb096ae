"""The embedded journal: one SQLite file, which several processes of one machine may share."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from tocsin.journal.following import Bell, follow
from tocsin.journal.group_commit import Append, Failed, GroupCommit, Stale, Written
from tocsin.journal.protocol import READ_LIMIT, Entry, JournalConflict, JournalError
from tocsin.journal.rules import check_append, check_limit, check_topic_or_branch
from tocsin.journal.sqlite_errors import journal_error
from tocsin.journal.sqlite_file import JournalFile

LOOK_AGAIN_S = 0.05
_FORGET_AT_ONCE = 32  # appends wait for it: some milliseconds, of which most are one fsync

_Result = TypeVar("_Result")


class SqliteJournal:
    """A `Journal` in one file. Appends of this process that meet share a commit. Belongs to one event loop."""

    def __init__(self, file: JournalFile, *, look_again_s: float) -> None:
        """For `open`; must run in the event loop."""
        self._file = file
        self._look_again_s = look_again_s
        self._bell = Bell()
        self._commits = GroupCommit(file.write, on_written=self._bell.ring)
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-journal-read")

    @classmethod
    async def open(
        cls, path: Path | str, *, create: bool = True, lock_wait_s: float = 10.0, look_again_s: float = LOOK_AGAIN_S
    ) -> Self:
        """
        Open the journal at `path`.

        Args:
            create: make an empty one (mode 0600) when there is none; False to only look at one that is there.
            lock_wait_s: how long to wait for another process to finish its commit.
            look_again_s: how late a follower may notice what another process appended.
        Raises: JournalError, if there is none, it cannot be made, is not a journal, or is one of a newer version.
        """
        file = await asyncio.to_thread(JournalFile, Path(path), create=create, lock_wait_s=lock_wait_s)
        return cls(file, look_again_s=look_again_s)

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        """
        See `Journal.append`.

        A caller that is cancelled while it waits does not know if the entry was written; it may have been.
        """
        check_append(topic, body)
        match await self._commits.submit(Append(topic, body, expect_last)):
            case Written(seq):
                return seq
            case Stale(last):
                assert expect_last is not None
                raise JournalConflict(topic, expected=expect_last, last=last)
            case Failed(error):
                raise journal_error(self._file.path, "was not appended to", error) from error

    async def last(self, topic: str | None = None) -> int:
        """See `Journal.last`."""
        return await self._reading(lambda: self._file.last(topic))

    async def get(self, seq: int) -> Entry | None:
        """See `Journal.get`."""
        return await self._reading(lambda: self._file.get(seq))

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        """See `Journal.read`."""
        check_limit(limit)
        return await self._reading(lambda: self._file.read(after, limit))

    async def forget(self, topic: str, before: int) -> int:
        """See `Journal.forget`."""
        check_topic_or_branch(topic)
        total, deleted = 0, _FORGET_AT_ONCE
        while deleted == _FORGET_AT_ONCE:
            deleted = await self._commits.between(lambda: self._file.forget(topic, before, _FORGET_AT_ONCE))
            total += deleted
        return total

    def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        """See `Journal.follow`; appends of this process wake it at once, others within `look_again_s`."""
        return follow(self.read, self._bell, after, look_again_s=self._look_again_s)

    def look(self) -> None:
        """See `Journal.look`."""
        self._bell.ring()

    async def close(self) -> None:
        """See `Journal.close`."""
        self._bell.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._commits.close()
        self._reads.shutdown()
        self._file.close()

    async def _reading(self, work: Callable[[], _Result]) -> _Result:
        if self._bell.closed:
            raise JournalError("the journal is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reads, work)
