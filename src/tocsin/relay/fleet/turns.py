"""Who may work now: so many at a time, and of those that wait whoever has the least to do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count

TURNS_AT_ONCE = 4
"""So much does a worker work on at once: enough that a disk and the interpreter are busy."""


class Turns:
    """
    Threads of one process share one interpreter: were all engines of a worker to work at once, its event loop would
    wait for each of them, and what they work on would be in memory all at once.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()

    @asynccontextmanager
    async def turn(self, left: int) -> AsyncIterator[None]:
        """
        A turn, until the block ends.

        Args:
            left: how much there is to do, in all the turns that it takes. So what has little to do is done soon, and
                of those that have much one is done after the other, and not all of them at the end.
        """
        if self._free:
            self._free -= 1
        else:
            ours: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heappush(self._waiting, (left, next(self._number), ours))
            try:
                await ours
            except asyncio.CancelledError:
                if ours.done() and not ours.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, following = heappop(self._waiting)
            if not following.done():  # else: whoever waited was cancelled
                following.set_result(None)
                return
        self._free += 1
