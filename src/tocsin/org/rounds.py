"""Work that comes round again for ever beside a running org, and does not end over what can be mended."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from tocsin.errors import TocsinError

_log = structlog.get_logger("tocsin.org")


async def in_rounds(work: Callable[[], Awaitable[object]], *, rest_s: float, failed: str) -> None:
    """One round of `work` after another, with a rest between; a TocsinError is logged as the event `failed`."""
    while True:
        try:
            await work()
        except TocsinError as error:
            _log.error(failed, error=str(error), remedy=error.hint)
        await asyncio.sleep(rest_s)
