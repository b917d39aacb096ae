"""Following a journal: read until nothing is left, then wait to be woken."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from tocsin.journal.protocol import Entry


class Bell:
    """Wakes all who wait for news of one journal. Lives in one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self.closed = False

    def ring(self) -> None:
        """There may be new entries."""
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """There will be no more."""
        self.closed = True
        self.ring()

    @property
    def next(self) -> asyncio.Event:
        """Set by the next ring. Take it before reading, or a ring between read and wait goes unheard."""
        return self._next


async def follow(
    read: Callable[[int], Awaitable[list[Entry]]], bell: Bell, after: int, *, look_again_s: float | None
) -> AsyncGenerator[list[Entry], None]:
    """
    Batches of what `read(after)` gives, from `after` on, until the bell is closed.

    Args:
        look_again_s: longest wait between two reads, for writers that cannot ring; None when all can.
    """
    while not bell.closed:
        news = bell.next
        batch = await read(after)
        if batch:
            after = batch[-1].seq
            yield batch
        else:
            await _wait(news, look_again_s)


async def _wait(news: asyncio.Event, at_most_s: float | None) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await news.wait()
    except TimeoutError:
        return
