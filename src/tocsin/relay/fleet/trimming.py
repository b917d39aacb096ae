"""What a fleet's streams forget: entries that are older than anything they speak of can last."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.journal import Entry, Journal, JournalError
from tocsin.relay.fleet.fenced import opened
from tocsin.signals import to_ms

EVERY_S = 3600.0


async def trim(journal: Journal, topic: str, *, clock: Callable[[], datetime], life: timedelta) -> int:
    """
    Forget what was written longer ago than `life`, but the last entry of `topic`, or of each one of a branch.

    Returns: how many entries were forgotten. Raises: JournalError.
    """
    now = clock()
    before = await _first_since(journal, to_ms(now - life), to_ms(now))
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


async def _first_since(journal: Journal, moment_ms: int, now_ms: int) -> int:
    """
    A seq: what stands before it is older than the moment.

    From the start, and not by halves: a program that hands over may write any time, and one entry that says it is old
    must not take those before it along. One that cannot be understood, or is of a time to come, says nothing.
    """
    old = after = 0
    while entries := await journal.read(after):
        for entry in entries:
            at_ms = _written_ms(entry)
            if at_ms is not None and at_ms <= now_ms:
                if at_ms >= moment_ms:
                    return old + 1
                old = entry.seq
        after = entries[-1].seq
    return old + 1


def _written_ms(entry: Entry) -> int | None:
    try:
        return opened(entry).at_ms
    except JournalError:
        return None
