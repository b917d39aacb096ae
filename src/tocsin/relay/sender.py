"""The sender: waits for the budget, tells the target, and does what the ruling says. It decides nothing itself."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from msgspec import Struct, field

from tocsin.errors import TocsinError
from tocsin.relay.errors import TargetPaused
from tocsin.relay.plan import Request, halves, holds, pack, pick, rank
from tocsin.relay.ruling import Answer, Bisect, Delivered, PauseTarget, Quarantine, SendAgain, rule
from tocsin.relay.target import Target
from tocsin.signals import Signal

REFUSED_IN_A_ROW = 5
"""So many refused alone while nothing was ever taken: it is the target or its URL that is wrong, not the signals."""


class Refused(Struct, frozen=True):
    """A signal the target will not take, and why in its own words."""

    signal: Signal
    reason: str


class Tally(Struct):
    """What became of the signals so far; what is in none of the lists is `left`."""

    subjects: int = 0
    """How many there were to deliver."""
    delivered: int = 0
    in_flight: int = 0
    """Sent without an answer yet: the target may have them."""
    requests: int = 0
    """Sent, whatever the answer."""
    retries: int = 0
    """Of `requests`, those that repeated one that failed on the way or by the budget."""
    refused: list[Refused] = field(default_factory=list)
    expired: list[Signal] = field(default_factory=list)
    """Ended while they waited for the budget."""

    @property
    def left(self) -> int:
        """Not delivered, and neither refused nor expired."""
        return self.subjects - self.delivered - len(self.refused) - len(self.expired)


class Watcher(Protocol):
    """Is told how a delivery goes on."""

    def moved(self, tally: Tally, *, ahead: timedelta) -> None:
        """An answer was dealt with; `ahead` is how long the budget will make the rest take."""
        ...

    def waits(self, wait: timedelta, why: str) -> None:
        """Nothing will be sent for so long."""
        ...


class _Unseen:
    def moved(self, tally: Tally, *, ahead: timedelta) -> None:
        pass

    def waits(self, wait: timedelta, why: str) -> None:
        pass


class _Again(Struct, frozen=True):
    signals: tuple[Signal, ...]
    tries: int = 0
    not_before: datetime | None = None
    why: str = ""


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def _sleep(wait: timedelta) -> None:
    await asyncio.sleep(wait.total_seconds())


class Sender:
    """
    Delivers one backlog to one target, one request at a time.

    `tally` can be read at any moment, also after a failure or when the delivery was cancelled.
    """

    def __init__(
        self,
        target: Target,
        *,
        watcher: Watcher | None = None,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[timedelta], Awaitable[None]] = _sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.tally = Tally()
        self._target, self._watcher = target, watcher or _Unseen()
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._window = target.window
        self._known = False
        self._backlog: Sequence[Signal] = ()
        self._again: list[_Again] = []

    async def deliver(self, signals: Sequence[Signal]) -> Tally:
        """
        Tell the target all of `signals` (each IP once), the most dangerous first.

        Returns: the tally; `left` is 0 in it.
        Raises: TargetPaused, when a person has to mend something first; `tally` says what was delivered.
        """
        self.tally.subjects += len(signals)
        self._backlog = rank(signals)
        while self._again or self._backlog:
            again = self._again.pop() if self._again else None
            if self._holds(again):
                await self._wait(again)
            if request := self._next_request(again):
                await self._settle(request, tries=again.tries + 1 if again else 1)
            self._watcher.moved(self.tally, ahead=self._time_ahead())
        return self.tally

    def _holds(self, again: _Again | None) -> bool:
        """Whether anything is left to send: for what has ended, no window is spent."""
        now = self._clock()
        return any(holds(signal, now=now) for signal in (again.signals if again else self._backlog))

    async def _wait(self, again: _Again | None) -> None:
        now = self._clock()
        if again and again.not_before and again.not_before > now:
            self._watcher.waits(again.not_before - now, again.why)
            await self._sleep(again.not_before - now)
        self._window, wait = self._window.spend(self._clock())
        if wait:
            self._watcher.waits(wait, "the window is used up")
            await self._sleep(wait)

    def _next_request(self, again: _Again | None) -> Request | None:
        """Chosen after all waiting, so that it holds the best of this moment and nothing that has ended."""
        now = self._clock()
        picked = pick(again.signals if again else self._backlog, now=now, at_most=self._target.subjects_per_request)
        if again is None:
            self._backlog = picked.rest
        self.tally.expired += picked.expired
        return pack(picked.chosen, now=now) if picked.chosen else None

    async def _settle(self, request: Request, *, tries: int) -> None:
        answer = await self._tell(request, tries)
        now = self._clock()
        self._window = self._window.heard(answer.told, now=now)
        subjects, draw = len(request.signals), self._draw()
        match rule(answer, subjects=subjects, tries=tries, known=self._known, now=now, draw=draw):
            case Delivered():
                self.tally.delivered += subjects
            case SendAgain(at=at, why=why):
                self._again.append(_Again(request.signals, tries, at, why))
            case Bisect():
                first, second = halves(request, now=now)
                self._again += [_Again(second.signals), _Again(first.signals)]
            case Quarantine(reason=reason):
                self._refuse(Refused(request.signals[0], reason))
            case PauseTarget(reason=reason, remedy=remedy):
                raise TargetPaused(self._target.name, reason=reason, remedy=remedy)

    async def _tell(self, request: Request, tries: int) -> Answer:
        self.tally.requests += 1
        self.tally.retries += tries > 1
        self.tally.in_flight = len(request.signals)
        try:
            answer = await self._target.tell(request)
        except TocsinError:  # it was never sent; a cancelled one may have been, and stays in flight
            self.tally.requests, self.tally.in_flight = self.tally.requests - 1, 0
            raise
        self.tally.in_flight = 0
        self._known = self._known or answer.status is not None
        return answer

    def _refuse(self, refused: Refused) -> None:
        self.tally.refused.append(refused)
        if len(self.tally.refused) >= REFUSED_IN_A_ROW and not self.tally.delivered and self.tally.left:
            reason = f"it refuses every signal, the last one so: {refused.reason}"
            remedy = "check that the URL is that of an org that takes risk events"
            raise TargetPaused(self._target.name, reason=reason, remedy=remedy)

    def _time_ahead(self) -> timedelta:
        per_request = self._target.subjects_per_request
        requests = len(self._again) + -(-len(self._backlog) // per_request)
        return self._window.time_for(requests, now=self._clock())
