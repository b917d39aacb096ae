"""The time of a fleet: what the leader of its stream says, whatever the clock of this machine says.

So windows, deeds and lives agree on all nodes. A question to the leader is answered with its time; when this machine
sent the question and had the answer, by its monotonic clock, bounds how far the two are apart. Between two questions,
and while no server answers, the monotonic clock goes on alone.

The servers' clocks should agree, and may not. When one leads whose clock is ahead, windows and lives would end at once
for what is no time at all: so what is shown never leaps, but follows a little faster than time goes, and the log says
what is to be mended.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Self

import structlog

from tocsin.journal.jetstream.asking import Refused
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.stream import refused_error
from tocsin.journal.protocol import JournalError

EVERY_S = 5.0
_FIRST = 3
_DRIFT = 200e-6  # seconds a second that two machines' clocks may run apart
_SLOWED, _HURRIED = 0.5, 1.05  # seconds a second, when this clock is found to be ahead, or behind
_LEAP_S = 1.0
_log = structlog.get_logger("tocsin.journal")


class Measured(NamedTuple):
    """One question and its answer: the fleet's time less the monotonic clock is between `low_s` and `high_s`."""

    low_s: float
    high_s: float
    at_s: float
    """When the answer came, by the monotonic clock."""

    @classmethod
    def of(cls, *, sent_s: float, stamped_s: float, received_s: float) -> Self:
        """`sent_s` and `received_s` by the monotonic clock, `stamped_s` by the fleet's."""
        return cls(stamped_s - received_s, stamped_s - sent_s, received_s)


def better(known: Measured, new: Measured) -> Measured:
    """
    What to go by after a `new` measurement.

    Both bounds hold, so what is between both is the better one; the older is wider by how much clocks run apart.
    When they exclude each other, another server leads or its clock was set: then the new one alone counts.
    """
    low_s, high_s = _both(known, new)
    return Measured(low_s, high_s, new.at_s) if low_s <= high_s else new


def apart_s(known: Measured, new: Measured) -> float:
    """By how much at least the leader's clock was set since `known`, or another leader's is apart from it."""
    low_s, high_s = _both(known, new)
    return max(0.0, low_s - high_s)


def _both(known: Measured, new: Measured) -> tuple[float, float]:
    wider_s = (new.at_s - known.at_s) * _DRIFT
    return max(known.low_s - wider_s, new.low_s), min(known.high_s + wider_s, new.high_s)


def advanced(last_s: float, passed_s: float, measured_s: float) -> float:
    """
    The time to show, which never goes back and never leaps: what is measured, or a clock on its way to that.

    Args:
        last_s: the time that was shown last.
        passed_s: how long ago that was.
        measured_s: the time now, as it is measured.
    """
    return min(max(measured_s, last_s + passed_s * _SLOWED), last_s + passed_s * _HURRIED)


def steady_s() -> float:
    """A monotonic clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class FleetClock:
    """Epoch seconds, when called. `start` makes one; it belongs to the event loop of its connection."""

    def __init__(self, connection: JetStreamConnection, stream: str, monotonic: Callable[[], float]) -> None:
        """For `start`."""
        self._connection, self._stream, self._monotonic = connection, stream, monotonic
        self._measured: Measured | None = None
        self.stream_created = ""
        """When the stream was made or restored, as it was measured last: another one is another stream."""
        self._shown_s, self._shown_at_s = 0.0, monotonic()
        self._measuring: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        connection: JetStreamConnection,
        *,
        stream: str = "TOCSIN",
        every_s: float = EVERY_S,
        monotonic: Callable[[], float] = steady_s,
    ) -> Self:
        """
        A clock that has been measured, and is again every `every_s`.

        Raises: JournalError, when there is no such stream; JournalUnreachable, when no quorum answers.
        """
        clock = cls(connection, stream, monotonic)
        for _ in range(_FIRST):
            await clock.measure()
        clock._shown_at_s = monotonic()
        clock._shown_s = clock._measured_s(clock._shown_at_s)
        clock._measuring = asyncio.create_task(clock._keep_measuring(every_s))
        return clock

    def __call__(self) -> float:
        """The fleet's time now."""
        at_s = self._monotonic()
        self._shown_s = advanced(self._shown_s, at_s - self._shown_at_s, self._measured_s(at_s))
        self._shown_at_s = at_s
        return self._shown_s

    @property
    def error_s(self) -> float:
        """By how much it may differ from the leader's clock."""
        assert self._measured is not None
        shown_s = self()
        age_s = self._shown_at_s - self._measured.at_s
        off_s = abs(self._measured_s(self._shown_at_s) - shown_s)
        return off_s + (self._measured.high_s - self._measured.low_s) / 2 + age_s * _DRIFT

    async def measure(self) -> None:
        """Ask once. Raises: JournalError."""
        sent_s = self._monotonic()
        try:
            answer = await self._connection.api(f"STREAM.INFO.{self._stream}")
        except Refused as refused:
            raise refused_error(self._stream, refused) from None
        self.stream_created = answer["created"]
        stamped_s = datetime.fromisoformat(answer["ts"]).timestamp()
        new = Measured.of(sent_s=sent_s, stamped_s=stamped_s, received_s=self._monotonic())
        if self._measured is None:
            self._measured = new
            return
        leap_s, self._measured = apart_s(self._measured, new), better(self._measured, new)
        if leap_s > _LEAP_S:
            _log.error(
                "clock.leader_leaps",
                stream=self._stream,
                by_s=round(leap_s, 1),
                remedy="run a time service (NTP) on each NATS server: `tocsin fleet check` tells which is off",
            )

    def _measured_s(self, at_s: float) -> float:
        assert self._measured is not None
        return at_s + (self._measured.low_s + self._measured.high_s) / 2

    async def close(self) -> None:
        """Measure no longer; the clock goes on."""
        if self._measuring is not None:
            self._measuring.cancel()
            with suppress(asyncio.CancelledError):
                await self._measuring

    async def _keep_measuring(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            with suppress(JournalError):
                await self.measure()
