"""The stream of signals on its way into the outboxes of one worker, which share what they read of it."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from functools import partial

from tocsin.journal import Entry, Journal, JournalError
from tocsin.journal.following import Bell
from tocsin.relay.fleet.stream import STREAM, seq_of, taken
from tocsin.relay.fleet.turns import Turns
from tocsin.relay.relay import Relay

PAGE_ENTRIES = 16
"""In one transaction of an outbox: about as many rows as it writes in one anyway, and a few MiB while it does."""
RECENT_BYTES = 16 * 1024**2
FOLLOW_AGAIN_AFTER_S = 1.0


class SharedStream:
    """The stream, read once for all outboxes that are near its head; who is far behind reads for itself."""

    def __init__(self, journal: Journal, turns: Turns) -> None:
        """`turns` are those of everything that is as much work for the engines of this worker."""
        self.turns = turns
        self._journal, self._bell = journal, Bell()
        self._head: int | None = None
        self._recent: list[Entry] = []
        self._recent_bytes = 0
        self._recent_after = 0
        """The seq that `_recent` begins after, without a gap up to the head."""
        self._passed_over, self._passed_over_up_to = 0, 0

    @property
    def news(self) -> asyncio.Event:
        """Set by the next entries; see `Bell.next`."""
        return self._bell.next

    async def last(self) -> int:
        """The seq of the last entry now."""
        return await self._journal.last()

    async def run(self, *, warn: Callable[[str], None]) -> None:
        """Read on, until cancelled; also after the cluster was out of reach."""
        while True:
            try:
                if self._head is None:
                    self._head = self._recent_after = await self._journal.last()
                    self._bell.ring()
                async for entries in self._journal.follow(self._head):
                    self._take(entries)
            except JournalError as error:
                warn(error.summary)
            await asyncio.sleep(FOLLOW_AGAIN_AFTER_S)

    async def page(self, after: int) -> list[Entry]:
        """Some entries beyond `after`, in order and without a gap; none when there are none yet."""
        if self._head is None or after >= self._head:
            return []
        if after < self._recent_after:
            return await self._journal.read(after, limit=PAGE_ENTRIES)
        first = bisect_right(self._recent, after, key=_seq)
        return self._recent[first : first + PAGE_ENTRIES]

    def passed_over(self, entry: Entry) -> None:
        """An outbox could not understand it; the log tells of the 1st, 10th, 100th...: anyone may write more."""
        import structlog

        if entry.seq <= self._passed_over_up_to:
            return
        self._passed_over_up_to = entry.seq
        self._passed_over += 1
        if str(self._passed_over).strip("0") == "1":
            hint = "run the newest version here too, then put it again; relay status counts these as broken"
            log = structlog.get_logger("tocsin.relay")
            log.warning("stream.passed_over", topic=entry.topic, seq=entry.seq, count=self._passed_over, hint=hint)

    def _take(self, entries: list[Entry]) -> None:
        self._recent += entries
        self._recent_bytes += sum(len(entry.body) for entry in entries)
        dropped = 0
        while self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent[dropped].body)
            self._recent_after = self._recent[dropped].seq
            dropped += 1
        del self._recent[:dropped]
        self._head = entries[-1].seq
        self._bell.ring()


class OutboxFeed:
    """What brings one outbox up to date, and keeps it so."""

    def __init__(self, stream: SharedStream) -> None:
        self._stream = stream
        self.caught_up = asyncio.Event()
        """Set once the outbox has come to the end of the stream, and decided all of it: lists to their ends."""

    async def feed(self, relay: Relay) -> None:
        """For ever. Raises: RelayError, from the outbox; JournalError, for what cannot be read."""
        until = await self._stream.last()
        after = seq_of((await relay.begin_reading(STREAM)).position)
        if after > until:
            after = 0  # another stream than the one that this outbox knew
        while True:
            news = self._stream.news
            async with self._stream.turns.turn(max(0, until - after)):
                if entries := await self._stream.page(after):
                    await relay.put_prepared(partial(taken, entries, passed_over=self._stream.passed_over))
                    after = entries[-1].seq
                if after >= until and not self.caught_up.is_set():
                    # A list may have come to its end since: what was forgotten then is said again up to there.
                    until = await self._stream.last()
                    if after >= until:
                        await relay.settled()
                        self.caught_up.set()
            if not entries:
                await news.wait()


def _seq(entry: Entry) -> int:
    return entry.seq
