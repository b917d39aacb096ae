"""Whether a node knows what it must know before it lets somebody in.

In a fleet a token may have been revoked at another node, and that was answered. So before a request is let in, the
journal's leader is asked how far the directory has come, and this node's catches up with that. Requests that come
together share a question; each is answered by one that began after it came.
"""

import asyncio
from typing import Protocol

import structlog

from tocsin.journal import Journal, JournalError, JournalUnreachable
from tocsin.org.projector import Projector
from tocsin.org.records.branches import DIRECTORY_BRANCH

ANSWER_WITHIN_S = 1.0
"""How long a request waits for those who keep what a fleet has in common, before it goes on without or is refused."""
_REST_S = 1.0
_CATCH_UP_WITHIN_S = 5.0
_A_MOMENT_AGO = "so it was a moment ago"
_log = structlog.get_logger("tocsin.org")


class Unconfirmed(JournalUnreachable):
    """Nobody could say whether this node knows enough; the log told once. Nothing was changed or accepted."""

    def __init__(self, why: str) -> None:
        super().__init__("who may do what", seconds=ANSWER_WITHIN_S, why=why)


class Freshness(Protocol):
    """Asked before a request is let in, and before one is turned away as unknown."""

    @property
    def reachable(self) -> bool:
        """Whether those could be asked, a moment ago, who know."""
        ...

    async def confirm(self, *, or_local: bool = False) -> None:
        """
        Return when this node knows all of the directory that was acknowledged anywhere before this was called.

        Args:
            or_local: what is known here will do when nobody can be asked.
        Raises: Unconfirmed, when nobody can; JournalError, when this node is too far behind.
        """
        ...

    async def look_again(self) -> None:
        """Somebody is not known: return when what was acknowledged before this was called is. Raises JournalError."""
        ...


class OwnFreshness:
    """Of an org that one machine serves: another process of it may have made a token, and tells within milliseconds."""

    reachable = True

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def confirm(self, *, or_local: bool = False) -> None:
        """See `Freshness.confirm`: what this process answered it knows itself."""

    async def look_again(self) -> None:
        """See `Freshness.look_again`."""
        await self._projector.catch_up_first()


class FleetFreshness:
    """
    Of an org that several nodes serve. Belongs to one event loop.

    When there is no answer nobody waits for the next one: it is asked for every second, by the way of a request.
    """

    def __init__(self, journal: Journal, projector: Projector) -> None:
        self._journal, self._projector = journal, projector
        self._asking: asyncio.Task[None] | None = None
        """The question under way: who comes now came too late for it."""
        self._next: asyncio.Task[None] | None = None
        """The one that waits for its end: who comes now is in time for it."""
        self._reachable = True
        self._ask_again_at = 0.0

    @property
    def reachable(self) -> bool:
        """See `Freshness.reachable`."""
        return self._reachable

    async def confirm(self, *, or_local: bool = False) -> None:
        """See `Freshness.confirm`."""
        try:
            if not self._reachable:
                self._try_again()
                raise Unconfirmed(_A_MOMENT_AGO)
            await asyncio.shield(self._question())
        except Unconfirmed:
            if not or_local:
                raise

    async def look_again(self) -> None:
        """See `Freshness.look_again`."""
        await self.confirm()

    async def close(self) -> None:
        """Ask no more."""
        tasks = [task for task in (self._asking, self._next) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _try_again(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._ask_again_at:
            self._ask_again_at = now + ANSWER_WITHIN_S + _REST_S
            self._question()

    def _question(self) -> asyncio.Task[None]:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._ask(self._asking))
            self._next.add_done_callback(_look_at)
        return self._next

    async def _ask(self, before: asyncio.Task[None] | None) -> None:
        was_reachable = self._reachable
        if before is not None:
            await asyncio.wait([before])
        self._asking, self._next = self._next, None
        if was_reachable and not self._reachable:
            raise Unconfirmed(_A_MOMENT_AGO)  # so the one before has found
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                last = await self._journal.last(DIRECTORY_BRANCH)
        except (JournalError, TimeoutError) as error:
            raise self._unanswered(error) from error
        if not self._reachable:
            _log.info("journal.reachable")
        self._reachable = True
        await self._catch_up(last)

    async def _catch_up(self, last: int) -> None:
        try:
            async with asyncio.timeout(_CATCH_UP_WITHIN_S):
                await self._projector.catch_up_first(last)
        except TimeoutError:
            raise JournalError("this node is behind what was acknowledged", hint="it catches up by itself") from None
        except JournalError as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: JournalError | TimeoutError) -> Unconfirmed:
        unreachable = Unconfirmed(str(error) or "no answer")
        if self._reachable:
            _log.error("journal.unreachable", error=str(unreachable), remedy=unreachable.hint)
        self._reachable = False
        self._ask_again_at = asyncio.get_running_loop().time() + _REST_S
        return unreachable


def _look_at(task: asyncio.Task[None]) -> None:
    """Nobody may be waiting for it any more; a failure is no surprise."""
    if not task.cancelled():
        task.exception()
