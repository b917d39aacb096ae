"""What a fleet's streams forget: entries that are older than anything they speak of can last."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.journal import Journal, JournalError
from tocsin.relay.fleet.fenced import opened
from tocsin.signals import to_ms

EVERY_S = 3600.0


async def trim(journal: Journal, topic: str, *, clock: Callable[[], datetime], life: timedelta) -> int:
    """
    Forget what was written longer ago than `life`, but the last entry of `topic`, or of each one of a branch.

    Returns: how many entries were forgotten. Raises: JournalError.
    """
    before = await _first_since(journal, to_ms(clock() - life))
    return await journal.forget(topic, before)


async def trim_for_ever(
    journal: Journal,
    topic: str,
    *,
    clock: Callable[[], datetime],
    life: timedelta,
    draw: Callable[[], float] = random.random,
) -> None:
    """
    Trim again and again, until cancelled. What cannot be trimmed now is trimmed later.

    Not at once: where many targets move, the cluster has other things to do.
    """
    import structlog

    await asyncio.sleep(draw() * EVERY_S)
    while True:
        try:
            await trim(journal, topic, clock=clock, life=life)
        except JournalError as error:
            structlog.get_logger("tocsin.relay").warning("fleet.not_trimmed", topic=topic, reason=error.summary)
        await asyncio.sleep(EVERY_S)


async def _first_since(journal: Journal, moment_ms: int) -> int:
    """A seq: every entry before it is older than the moment. They stand in the order of their times."""
    older, younger = 0, await journal.last() + 1
    while younger - older > 1:
        middle = (older + younger) // 2
        found = await journal.read(middle - 1, limit=1)
        if found and found[0].seq < younger and opened(found[0]).at_ms < moment_ms:
            older = found[0].seq
        else:
            younger = middle
    return younger
