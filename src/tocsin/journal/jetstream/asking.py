"""What comes of a question to the servers when it is no answer: a no, or nothing for a while."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from tocsin.journal.protocol import JournalUnreachable

ATTEMPT_S = 2.0
LEAVE_AFTER_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_SHORTEST_ATTEMPT_S = 0.1  # a shorter one finds nothing out, and would be what is told in the end
# JetStream not enabled, not enabled for the account: these are also said with the code 503.
_LASTING = frozenset({10039, 10076})
_Answer = TypeVar("_Answer")


@contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Raise what 3.11's `wait_for` does not pass on: a cancellation that comes as what it waits for ends."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        yield
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


class Refused(Exception):
    """The server's own answer of no. Never leaves this package."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.err_code = int(error.get("err_code", 0))
        self.code = int(error.get("code", 0))
        self.description = str(error.get("description", ""))
        super().__init__(self.description)


def is_passing(refused: Refused) -> bool:
    """Whether the same question may be answered in a moment: no leader, no quorum, a peer that is not there yet."""
    return refused.code == 503 and refused.err_code not in _LASTING


class Patience:
    """How long something is tried again, and how long until the next time. For one operation."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, asyncio.get_running_loop().time() + seconds
        self._pause_s = _FIRST_PAUSE_S
        self.first = True

    @property
    def attempt_s(self) -> float:
        """How long one attempt may take."""
        return max(0.0, min(ATTEMPT_S, self._end - asyncio.get_running_loop().time()))

    async def pause(self, what: str, why: object) -> None:
        """Wait a little, longer each time. Raises: JournalUnreachable, when there was enough of that."""
        self.first = False
        pause_s = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - so that nodes do not ask in step
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if asyncio.get_running_loop().time() + pause_s + _SHORTEST_ATTEMPT_S >= self._end:
            cause = why if isinstance(why, Exception) else None
            raise JournalUnreachable(what, seconds=self._seconds, why=str(why) or type(why).__name__) from cause
        await asyncio.sleep(pause_s)


class Silence:
    """Since when questions of one kind have had no answer of use; they may be many, and each given up early."""

    def __init__(self) -> None:
        self.since: float | None = None
        """By the loop's clock; None when the last one was answered."""

    def asked(self, now: float) -> bool:
        """Another one is about to be asked. Returns: whether it has been silent for long."""
        self.since = now if self.since is None else self.since
        return now - self.since >= LEAVE_AFTER_S

    def answered(self) -> None:
        """That one was."""
        self.since = None


class Together(Generic[_Answer]):
    """One question for all who ask the same while it is under way; who stops waiting stops it for nobody."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[_Answer]] = {}

    async def ask(self, about: Hashable, question: Callable[[], Coroutine[Any, Any, _Answer]]) -> _Answer:
        """The answer of `question`, or to the one that is under way `about` the same."""
        asking = self._under_way.get(about)
        if asking is None:
            asking = self._under_way[about] = asyncio.create_task(question())
            asking.add_done_callback(partial(self._answered, about))
        return await asyncio.shield(asking)

    def _answered(self, about: Hashable, asking: "asyncio.Task[_Answer]") -> None:
        del self._under_way[about]
        if not asking.cancelled():
            asking.exception()  # nobody may be waiting for it any more
