"""Work that goes on for ever beside a running org, and does not end over what can be mended."""

import asyncio
from collections.abc import Awaitable, Callable
from traceback import format_exception
from typing import Any

import structlog

from tocsin.errors import TocsinError

_log = structlog.get_logger("tocsin.org")


async def in_rounds(work: Callable[[], Awaitable[object]], *, rest_s: float, failed: str) -> None:
    """
    One round of `work` after another, with a rest between.

    What it raises is logged as the event `failed`, also a mistake of ours: what runs beside must not suffer for it.
    """
    while True:
        # A task of its own: in CPython 3.11 a group of tasks that fails leaves its task as if it had been cancelled.
        one = asyncio.ensure_future(work())
        try:
            await asyncio.wait([one])
        finally:
            await end(one)
            _tell(one, failed)
        await asyncio.sleep(rest_s)


async def end(task: asyncio.Future[Any]) -> None:
    """Cancel it, and wait until it has ended. To cancel the caller meanwhile is another thing, and is not lost."""
    task.cancel()
    await asyncio.wait([task])


def _tell(one: asyncio.Future[object], failed: str) -> None:
    """Log what a round has failed with. Raises CancelledError when it was cancelled."""
    match one.exception():
        case None:
            return
        case Exception() as error:
            match _one_of(error):
                case TocsinError() as known:
                    _log.error(failed, error=str(known), remedy=known.hint)
                case _:
                    # Text, not `exc_info`: some logs would print local variables.
                    _log.error(failed, exception="".join(format_exception(error)))
        case error:
            raise error


def _one_of(error: Exception) -> Exception:
    """What a group holds when that is one error."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
