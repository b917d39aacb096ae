"""The stream of signals on its way into the outboxes of one worker, which share what they read of it."""

import asyncio
from collections.abc import AsyncIterator, Callable

from tocsin.journal import Entry, Journal, JournalError
from tocsin.journal.following import Bell, follow
from tocsin.relay.fleet.stream import STREAM, seq_of, taken
from tocsin.relay.relay import Relay

PAGES_SHARED = 16
AGAIN_AFTER_S = 1.0


class SharedStream:
    """The stream, read once for all followers that are at its head; who is behind reads for itself."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._bell = journal, Bell()
        self._pages: dict[int, list[Entry]] = {}
        self._head: int | None = None

    async def last(self) -> int:
        """The seq of the last entry now."""
        return await self._journal.last()

    async def run(self, *, warn: Callable[[str], None]) -> None:
        """Read on, until cancelled; also after the cluster was out of reach."""
        while True:
            try:
                after = await self._journal.last() if self._head is None else self._head
                self._head = after
                self._bell.ring()
                async for entries in self._journal.follow(after):
                    self._take(entries)
            except JournalError as error:
                warn(error.summary)
            await asyncio.sleep(AGAIN_AFTER_S)

    def follow(self, after: int) -> AsyncIterator[list[Entry]]:
        """Entries beyond `after`, in order and without a gap; for ever."""
        return follow(self._read, self._bell, after, look_again_s=None)

    async def _read(self, after: int) -> list[Entry]:
        if self._head is None or after == self._head:
            return []
        if (page := self._pages.get(after)) is not None:
            return page
        return await self._journal.read(after)

    def _take(self, entries: list[Entry]) -> None:
        assert self._head is not None
        self._pages[self._head] = entries
        while len(self._pages) > PAGES_SHARED:
            del self._pages[next(iter(self._pages))]
        self._head = entries[-1].seq
        self._bell.ring()


class OutboxFeed:
    """What brings one outbox up to date, and keeps it so."""

    def __init__(self, stream: SharedStream) -> None:
        self._stream = stream
        self.caught_up = asyncio.Event()
        """Set once the outbox has decided all that was in the stream when the feeding began: lists to their ends."""

    async def feed(self, relay: Relay) -> None:
        """For ever. Raises: RelayError, from the outbox; JournalError, for what cannot be read."""
        until = await self._stream.last()
        after = seq_of((await relay.begin_reading(STREAM)).position)
        if after > until:
            after = 0  # another stream than the one that this outbox knew
        if after == until:
            await self._catch_up(relay)
        async for entries in self._stream.follow(after):
            await relay.put_prepared(taken(entries))
            if entries[-1].seq >= until and not self.caught_up.is_set():
                await self._catch_up(relay)

    async def _catch_up(self, relay: Relay) -> None:
        await relay.settled()
        self.caught_up.set()
