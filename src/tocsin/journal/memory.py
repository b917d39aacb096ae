"""The in-memory twin of the journals: for fast tests, held to the same contract suite. Nothing outlives it."""

import asyncio
from collections.abc import AsyncGenerator

from tocsin.journal.following import Bell, follow
from tocsin.journal.protocol import READ_LIMIT, Entry, JournalConflict, JournalError
from tocsin.journal.rules import check_append, check_limit, one_batch


class MemoryJournal:
    """A `Journal` in a list. To play several processes, share one between them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._last: dict[str, int] = {}
        self._bell = Bell()

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        """See `Journal.append`; an entry lasts as long as this object."""
        check_append(topic, body)
        self._refuse_when_closed()
        last = self._last.get(topic, 0)
        if expect_last is not None and expect_last != last:
            raise JournalConflict(topic, expected=expect_last, last=last)
        entry = Entry(len(self._entries) + 1, topic, body)
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
        return len(self._entries) if topic is None else self._last.get(topic, 0)

    async def get(self, seq: int) -> Entry | None:
        """See `Journal.get`."""
        self._refuse_when_closed()
        await asyncio.sleep(0)
        return self._entries[seq - 1] if 1 <= seq <= len(self._entries) else None

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        """See `Journal.read`."""
        check_limit(limit)
        self._refuse_when_closed()
        await asyncio.sleep(0)
        start = max(after, 0)
        return one_batch(self._entries[start : start + limit])

    def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        """See `Journal.follow`."""
        return follow(self.read, self._bell, after, look_again_s=None)

    async def close(self) -> None:
        """See `Journal.close`."""
        self._bell.close()

    def _refuse_when_closed(self) -> None:
        if self._bell.closed:
            raise JournalError("the journal is closed")
