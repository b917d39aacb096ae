"""What a fleet's streams forget: entries that are older than anything they speak of can last."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.journal import Journal, JournalError
from tocsin.relay.fleet.fenced import opened
from tocsin.signals import to_ms

EVERY_S = 3600.0
_LOOK_ENTRIES = 16


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
        found = await _first_dated(journal, middle, younger)
        if found is not None and found.at_ms < moment_ms:
            older = found.seq
        else:
            younger = middle
    return younger


class _Dated(NamedTuple):
    seq: int
    at_ms: int


async def _first_dated(journal: Journal, seq: int, before: int) -> _Dated | None:
    """The first entry from `seq` on that says when it was written; what cannot be understood lies between its like."""
    while entries := await journal.read(seq - 1, limit=_LOOK_ENTRIES):
        for entry in entries:
            if entry.seq >= before:
                return None
            with suppress(JournalError):
                return _Dated(entry.seq, opened(entry).at_ms)
        seq = entries[-1].seq + 1
    return None
