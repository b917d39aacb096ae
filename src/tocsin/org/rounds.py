"""Work that goes on for ever beside a running org, and does not end over what can be mended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from traceback import format_exception

import structlog

from tocsin.errors import TocsinError

_log = structlog.get_logger("tocsin.org")


async def in_rounds(work: Callable[[], Awaitable[object]], *, rest_s: float, failed: str) -> None:
    """
    One round of `work` after another, with a rest between.

    What it raises is logged as the event `failed`, also a mistake of ours: what runs beside must not suffer for it.
    """
    while True:
        try:
            # A task of its own: a group of tasks that fails leaves its parent marked as cancelled (Python 3.11).
            await asyncio.create_task(_once(work))
        except Exception as error:
            match _one_of(error):
                case TocsinError() as known:
                    _log.error(failed, error=str(known), remedy=known.hint)
                case _:
                    # Text, not `exc_info`: some logs would print local variables.
                    _log.error(failed, exception="".join(format_exception(error)))
        _heed_cancellation()
        await asyncio.sleep(rest_s)


@asynccontextmanager
async def in_background(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """
    Run `works` meanwhile; at the end they are cancelled and waited for.

    One that fails before is logged at once, and raised at the end.
    """
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()


async def end(task: asyncio.Task[None]) -> None:
    """Cancel it, and wait until it has ended. To cancel the caller meanwhile is another thing, and is not lost."""
    task.cancel()
    await asyncio.wait([task])


async def _once(work: Callable[[], Awaitable[object]]) -> None:
    await work()


def _heed_cancellation() -> None:
    """A group of tasks of which one fails while it is cancelled raises that failure, and nothing else."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _one_of(error: Exception) -> Exception:
    """What a group holds when that is one error."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        # Text, not `exc_info`: some logs would print local variables.
        _log.error("work.failed", exception="".join(format_exception(error)), remedy="start the org again")
