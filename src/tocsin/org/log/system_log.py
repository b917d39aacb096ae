"""Answers queries of the System Log: finds events in the index, makes them from the journal, and keeps what is asked.

What blocks or counts runs in a thread of its own, some events at a time: many queries take turns there, none holds up
the event loop, and a page takes no more memory than `_MOST_BYTES` and what one step makes.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from typing import TypeVar

from tocsin.journal import Entry, Journal
from tocsin.org.config import LogConfig
from tocsin.org.errors import OrgError
from tocsin.org.log.draft import MOST_EVENTS
from tocsin.org.log.index import LogIndex
from tocsin.org.log.query import LogTimeout, Page, Position, Query
from tocsin.org.log.search import Search

QUERY_S = 30.0  # D
_DAY_MS = 86_400_000
_STEP_EVENTS = 64
_MOST_BYTES = 4 * 1024 * 1024
_NEAR = 2  # entries this close are read with what lies between: a read for each costs more
_Result = TypeVar("_Result")


class SystemLog:
    """The System Log of one org. Belongs to one event loop."""

    def __init__(self, journal: Journal, index: LogIndex, config: LogConfig, *, query_s: float = QUERY_S) -> None:
        self._journal = journal
        self._index = index
        self._config = config
        self._query_s = query_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-log")

    async def page(self, query: Query, *, now_ms: int) -> Page:
        """
        The events that `query` asks for, fewer than its limit when they are large.

        Raises: LogTimeout, JournalError or OrgError.
        """
        deadline = time.monotonic() + self._query_s
        search = Search(self._index, query, self._config, oldest_ms=self.oldest_ms(now_ms), deadline=deadline)
        try:
            async with asyncio.timeout(self._query_s):
                return await self._page(search, query)
        except (TimeoutError, OrgError):
            if time.monotonic() < deadline:
                raise
            raise LogTimeout from None

    def oldest_ms(self, now_ms: int) -> int:
        """When the retention begins: what was published before is not shown."""
        return now_ms - self._config.retention_days * _DAY_MS

    async def close(self) -> None:
        """Let what is under way finish."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _page(self, search: Search, query: Query) -> Page:
        position = await self._apart(search.begin)
        events: list[bytes] = []
        room = _MOST_BYTES
        async with aclosing(self._found(search, position)) as found:
            async for where, event in found:
                if len(events) == query.limit or room <= 0:
                    return Page(events, position)
                events.append(event)
                room -= len(event)
                position = where
        return Page(events, search.end)

    async def _found(self, search: Search, position: Position) -> AsyncGenerator[tuple[Position, bytes], None]:
        while rows := await self._apart(partial(search.step, position, _STEP_EVENTS)):
            entries = await self._entries(row.place // MOST_EVENTS for row in rows)
            for found in await self._apart(partial(search.events, rows, entries)):
                yield found
            position = rows[-1]

    async def _entries(self, seqs: Iterable[int]) -> dict[int, Entry]:
        """Those entries with one of `seqs` that the journal still has, by seq."""
        wanted = sorted(set(seqs))
        entries: dict[int, Entry] = {}
        while wanted:
            end = _run(wanted)
            batch = await self._journal.read(wanted[0] - 1, limit=end - wanted[0] + 1)
            entries |= {entry.seq: entry for entry in batch}
            read_to = batch[-1].seq if batch else end
            wanted = [seq for seq in wanted if seq > read_to]
        return entries

    async def _apart(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _run(seqs: list[int]) -> int:
    """Where the first of ascending `seqs` end to lie near each other."""
    for this, following in pairwise(seqs):
        if following - this > _NEAR:
            return this
    return seqs[-1]
