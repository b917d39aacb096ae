"""The in-memory twin of the journals: for fast tests, held to the same contract suite. Nothing outlives it."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator

from tocsin.journal.following import Bell, follow
from tocsin.journal.protocol import READ_LIMIT, Entry, JournalConflict, JournalError
from tocsin.journal.rules import check_append, check_limit, check_topic_or_branch, is_of, one_batch


class MemoryJournal:
    """A `Journal` in a list. To play several processes, share one between them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._seq = 0
        self._last: dict[str, int] = {}
        self._bell = Bell()

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        """See `Journal.append`; an entry lasts as long as this object."""
        check_append(topic, body)
        self._refuse_when_closed()
        last = self._last.get(topic, 0)
        if expect_last is not None and expect_last != last:
            raise JournalConflict(topic, expected=expect_last, last=last)
        self._seq += 1
        entry = Entry(self._seq, topic, body)
        self._entries.append(entry)
        self._last[topic] = entry.seq
        self._bell.ring()
        # Let others run, as a journal on a disk does: a caller who relies on being alone shall fail here too.
        await asyncio.sleep(0)
        return entry.seq

    async def last(self, topic: str | None = None) -> int:
        """See `Journal.last`."""
        self._refuse_when_closed()
        await asyncio.sleep(0)
        if topic is None:
            return self._seq
        return max((seq for other, seq in self._last.items() if is_of(other, topic)), default=0)

    async def get(self, seq: int) -> Entry | None:
        """See `Journal.get`."""
        self._refuse_when_closed()
        await asyncio.sleep(0)
        return next((entry for entry in self._beyond(seq - 1, 1) if entry.seq == seq), None)

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        """See `Journal.read`."""
        check_limit(limit)
        self._refuse_when_closed()
        await asyncio.sleep(0)
        return one_batch(self._beyond(after, limit))

    async def forget(self, topic: str, before: int) -> int:
        """See `Journal.forget`."""
        check_topic_or_branch(topic)
        self._refuse_when_closed()
        await asyncio.sleep(0)
        there = len(self._entries)
        self._entries = [entry for entry in self._entries if not self._forgets(entry, topic, before)]
        return there - len(self._entries)

    def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        """See `Journal.follow`."""
        return follow(self.read, self._bell, after, look_again_s=None)

    def look(self) -> None:
        """See `Journal.look`."""
        self._bell.ring()

    async def close(self) -> None:
        """See `Journal.close`."""
        self._bell.close()

    def _beyond(self, after: int, limit: int) -> list[Entry]:
        start = bisect_right(self._entries, after, key=lambda entry: entry.seq)
        return self._entries[start : start + limit]

    def _forgets(self, entry: Entry, topic: str, before: int) -> bool:
        return is_of(entry.topic, topic) and entry.seq < min(before, self._last[entry.topic])

    def _refuse_when_closed(self) -> None:
        if self._bell.closed:
            raise JournalError("the journal is closed")
