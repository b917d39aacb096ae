"""How long a request waits for what a fleet has in common."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tocsin.journal import JournalUnreachable
from tocsin.org.freshness import ANSWER_WITHIN_S

_Answer = TypeVar("_Answer")


async def within_time(what: str, asked: Awaitable[_Answer]) -> _Answer:
    """The answer of `asked`, which is about `what`. Raises JournalUnreachable when it takes over `ANSWER_WITHIN_S`."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await asked
    except TimeoutError:
        raise unanswered(what, "no answer") from None


def unanswered(what: str, why: str) -> JournalUnreachable:
    """What to raise of it."""
    return JournalUnreachable(what, seconds=ANSWER_WITHIN_S, why=why)
