"""Keeps the projections up with the journal: reads on, applies in a thread, and tells who waits how far it is."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

import structlog

from tocsin.errors import TocsinError
from tocsin.journal import Entry, Journal, JournalError
from tocsin.org.errors import OrgError

_ENTRIES_AT_ONCE = 64  # the longest that a sweep, or the next projection, waits for its turn: about 0.3 s
_TRY_AGAIN_S = 1.0
_log = structlog.get_logger("tocsin.org")
_Result = TypeVar("_Result")


class JournalTooOld(OrgError):
    """The journal ends before what was applied of it: an older one was put in its place. Nothing was changed."""

    def __init__(self, last: int, applied: int) -> None:
        super().__init__(
            f"the journal ends with entry {last}, and entries up to {applied} were applied: it is older than the rest",
            hint="put the right journal back, or run `tocsin rebuild` to go on from this one",
        )


class Projection(Protocol):
    """State derived from the journal. Blocking; the cursor moves in the transaction that applies."""

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        ...

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. On an error the cursor says how many."""
        ...


class Projector:
    """
    Applies one journal to some projections: no entry to one before those that stand before it have it.

    All are applied by one thread, in turn. One that cannot go on holds up those after it, and none before it.
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

    @property
    def applied_first(self) -> int:
        """Seq of the last entry that the first projection has applied."""
        return self._cursors[0]

    @property
    def moved(self) -> asyncio.Event:
        """Set when a cursor moves the next time."""
        return self._moved

    async def catch_up(self) -> None:
        """Apply all that is in the journal now. Raises JournalError or OrgError when that cannot be."""
        await self._catch_up(len(self._projections), await self._journal.last())

    async def catch_up_first(self, up_to: int | None = None) -> None:
        """
        The same for the first projection alone, which then waits for no other and fails with no other.

        Args:
            up_to: the seq of an entry; what lies beyond it may wait.
        """
        if up_to is None or self._cursors[0] < up_to:
            await self._catch_up(1, await self._journal.last() if up_to is None else up_to)

    async def run(self, *, only_first: bool = False) -> None:
        """
        Keep up for ever. What cannot be applied is logged and tried again: nothing is skipped.

        Args:
            only_first: leave the other projections to another process, which is to be `heard` of.
        """
        kept_up = 1 if only_first else len(self._projections)
        async with asyncio.TaskGroup() as tasks:
            for number in range(kept_up):
                tasks.create_task(self._keep_up(number))

    def heard(self, seq: int) -> None:
        """Another process says that all projections have applied what stands up to `seq`."""
        for number in range(1, len(self._cursors)):
            self._move(number, seq)

    async def wait_for(self, seq: int, *, at_most_s: float) -> bool:
        """Whether all up to `seq` is applied, after waiting for it `at_most_s` seconds if need be."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._until(len(self._cursors), seq)
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

    async def _catch_up(self, count: int, last: int) -> None:
        if (ahead := max(self._cursors[:count])) > last:
            raise JournalTooOld(last, ahead)
        for number in range(count):
            while self._cursors[number] < last:
                batch = await self._journal.read(self._cursors[number])
                if not batch:
                    raise JournalError(
                        f"entry {last} is gone from the journal",
                        hint="look at who purges its stream, and at its copies",
                    )
                # Those before it have what lies beyond `last` only when somebody keeps them up.
                due = [entry for entry in batch if entry.seq <= last]
                if not due:
                    break  # what there was has been trimmed since
                await self._apply(number, due)

    async def _keep_up(self, number: int) -> None:
        while True:
            try:
                async for batch in self._journal.follow(self._cursors[number]):
                    await self._apply(number, batch)
                return
            except TocsinError as error:
                _log.error("projection.stuck", cursor=self._cursors[number], error=str(error), remedy=error.hint)
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _apply(self, number: int, batch: list[Entry]) -> None:
        for start in range(0, len(batch), _ENTRIES_AT_ONCE):
            some = batch[start : start + _ENTRIES_AT_ONCE]
            await self._until(number, some[-1].seq)
            await self.alone(partial(self._projections[number].apply, some))
            self._move(number, some[-1].seq)

    async def _until(self, count: int, seq: int) -> None:
        """Wait until the first `count` projections have applied `seq`."""
        while any(cursor < seq for cursor in self._cursors[:count]):
            await self._moved.wait()

    def _move(self, number: int, seq: int) -> None:
        if seq > self._cursors[number]:
            self._cursors[number] = seq
            self._moved.set()
            self._moved = asyncio.Event()
