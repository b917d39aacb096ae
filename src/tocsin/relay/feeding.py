"""A source read for as long as the relay runs: what it gives is durable before it goes on, and it is opened again."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

from tocsin.errors import TocsinError
from tocsin.relay.books import SourceBook
from tocsin.relay.errors import LeaseLost
from tocsin.signals import Batch

SOURCE_AGAIN_AFTER_S = 15.0
"""A source that broke off is opened again after so long."""
SAYS_SKIPPED_AFTER_S = 10.0
"""Of what comes for ever it is said once in this time how many records could not be read."""
CANCEL_AGAIN_AFTER_S = 5.0
_WHY_CHARS = 300


class Door(Protocol):
    """Where a source is taken in: a relay, or the stream of a fleet."""

    async def begin_reading(self, source: str) -> SourceBook:
        """The source starts, or starts again. Returns: its book, with the position to go on from."""
        ...

    async def put(self, batch: Batch, /) -> None:
        """Durable when this returns."""
        ...

    async def note_stopped(self, source: str, why: str) -> None:
        """Nothing comes from it now."""
        ...


class Reads(Protocol):
    """What is read."""

    @property
    def name(self) -> str:
        """That of all its signals."""
        ...

    def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """What there is after `position`, then what comes."""
        ...


async def feed(door: Door, source: Reads) -> None:
    """
    Everything from one source, for ever; when it breaks off, from the last position that is durable.

    Whatever it breaks off with, the other sources and the targets go on.
    Raises: LeaseLost, when it is another worker's to read.
    """
    import structlog

    log = structlog.get_logger("tocsin.relay")
    while True:
        book, broken = await door.begin_reading(source.name), _Broken(source.name)
        try:
            async for batch in source.batches(book.position):
                await door.put(batch)
                broken.add(batch)
            why = "it has ended"
        except LeaseLost:
            raise
        except TocsinError as error:
            why = error.summary
        except Exception as error:  # a defect of ours, or what no reader foresaw: with its place for who mends it
            why = f"an unforeseen error ({type(error).__name__}: {error})"[:_WHY_CHARS]
            log.exception("source.failed", source=source.name)
        finally:
            broken.tell()
        await door.note_stopped(source.name, why)
        log.warning("source.stopped", source=source.name, reason=why, again_in_s=SOURCE_AGAIN_AFTER_S)
        await asyncio.sleep(SOURCE_AGAIN_AFTER_S)


class _Broken:
    """Says how many records of one source could not be read: a list's with its end."""

    def __init__(self, source: str) -> None:
        self._source, self._count, self._first_line = source, 0, 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, batch: Batch) -> None:
        """What is durable of it."""
        lines = [one.line for one in batch.skipped if one.reason.broken]
        if lines and not self._count:
            self._first_line = lines[0]
        self._count += len(lines)
        if batch.ends_list:
            self.tell()
        elif self._count and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SAYS_SKIPPED_AFTER_S, self.tell)

    def tell(self) -> None:
        """Now, if there are any; nothing is said of them later."""
        import structlog

        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._count:
            log = structlog.get_logger("tocsin.relay")
            log.warning("source.skipped", source=self._source, broken=self._count, first_line=self._first_line)
        self._count = 0


async def until_one_ends(works: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Run all of them until one ends; raises what that one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_all(tasks)


async def end_all(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel them, and again when they go on all the same: a library may swallow it once. Raises nothing of theirs."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)
