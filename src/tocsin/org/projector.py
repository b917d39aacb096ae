"""Keeps the projections up with the journal: reads on, applies in a thread, and tells who waits how far it is."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

import structlog

from tocsin.errors import TocsinError
from tocsin.journal import Entry, Journal

# LMDB copies each page it changes and keeps the old one a while: 4 full requests change at most 4,000 pages, 16 MiB.
# 16 are no faster (128,000 against 124,000 subjects/s) and cost 40 bytes more on disk for each of 1.8 million IPs.
ENTRIES_PER_TRANSACTION = 4
_TRY_AGAIN_S = 1.0
_log = structlog.get_logger("tocsin.org")
_Result = TypeVar("_Result")


class Projection(Protocol):
    """State derived from the journal. Blocking; the cursor moves in the transaction that applies."""

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        ...

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        ...


class Projector:
    """
    Applies one journal to some projections: no entry to one before all that stand before it have it.

    Belongs to one event loop.
    """

    def __init__(self, journal: Journal, projections: Sequence[Projection]) -> None:
        self._journal = journal
        self._projections = projections
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-apply")
        self._turn = asyncio.Lock()
        self._moved = asyncio.Event()
        self._cursors = [projection.cursor() for projection in projections]

    @property
    def applied(self) -> int:
        """Seq of the last entry that all projections have applied."""
        return min(self._cursors)

    async def catch_up(self) -> None:
        """Apply all that is in the journal now. Raises JournalError or OrgError when that cannot be."""
        await self._catch_up(self._projections)

    async def catch_up_first(self) -> None:
        """The same for the first projection alone, which then waits for no other and fails with no other."""
        await self._catch_up(self._projections[:1])

    async def run(self) -> None:
        """Keep up for ever. What cannot be applied is logged and tried again: nothing is skipped."""
        while True:
            try:
                async for batch in self._journal.follow(self.applied):
                    await self._apply(batch, self._projections)
                return
            except TocsinError as error:
                _log.error("projection.stuck", cursor=self.applied, error=str(error), remedy=error.hint)
                await asyncio.sleep(_TRY_AGAIN_S)

    async def wait_for(self, seq: int, *, at_most_s: float) -> bool:
        """Whether all up to `seq` is applied, after waiting for it `at_most_s` seconds if need be."""
        try:
            async with asyncio.timeout(at_most_s):
                while self.applied < seq:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def alone(self, work: Callable[[], _Result]) -> _Result:
        """Run blocking `work` on the projections in the thread that applies, between two transactions."""
        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Let what is being applied finish. End `run` before."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _catch_up(self, projections: Sequence[Projection]) -> None:
        last = await self._journal.last()
        while (applied := min(self._cursors[: len(projections)])) < last:
            await self._apply(await self._journal.read(applied), projections)

    async def _apply(self, batch: list[Entry], projections: Sequence[Projection]) -> None:
        for start in range(0, len(batch), ENTRIES_PER_TRANSACTION):
            some = batch[start : start + ENTRIES_PER_TRANSACTION]
            for number, projection in enumerate(projections):
                await self.alone(partial(projection.apply, some))
                self._cursors[number] = max(self._cursors[number], some[-1].seq)
            self._moved.set()
            self._moved = asyncio.Event()
