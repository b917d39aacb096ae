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
        book = await door.begin_reading(source.name)
        try:
            async for batch in source.batches(book.position):
                await door.put(batch)
            why = "it has ended"
        except LeaseLost:
            raise
        except TocsinError as error:
            why = error.summary
        except Exception as error:  # a defect of ours, or what no reader foresaw: with its place for who mends it
            why = f"an unforeseen error ({type(error).__name__}: {error})"[:_WHY_CHARS]
            log.exception("source.failed", source=source.name)
        await door.note_stopped(source.name, why)
        log.warning("source.stopped", source=source.name, reason=why, again_in_s=SOURCE_AGAIN_AFTER_S)
        await asyncio.sleep(SOURCE_AGAIN_AFTER_S)


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
