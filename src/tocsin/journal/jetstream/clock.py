"""The time of a fleet: what the leader of its stream says, whatever the clock of this machine says.

So windows, deeds and lives agree on all nodes. A question to the leader is answered with its time; when this machine
sent the question and had the answer, by its monotonic clock, bounds how far the two are apart. Between two questions,
and while no server answers, the monotonic clock goes on alone.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Self

from tocsin.journal.jetstream.connection import JetStreamConnection, Refused
from tocsin.journal.jetstream.stream import refused_error
from tocsin.journal.protocol import JournalError

EVERY_S = 5.0
_FIRST = 3
_DRIFT = 200e-6  # seconds a second that two machines' clocks may run apart
_SLOWED = 0.5  # seconds a second, when this clock is found to be ahead


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
    wider_s = (new.at_s - known.at_s) * _DRIFT
    low_s, high_s = max(known.low_s - wider_s, new.low_s), min(known.high_s + wider_s, new.high_s)
    return Measured(low_s, high_s, new.at_s) if low_s <= high_s else new


def advanced(last_s: float, passed_s: float, measured_s: float) -> float:
    """
    The time to show, which never goes back: what is measured, or a slowed clock where that one is behind.

    Args:
        last_s: the time that was shown last.
        passed_s: how long ago that was.
        measured_s: the time now, as it is measured.
    """
    return max(measured_s, last_s + passed_s * _SLOWED)


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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Self:
        """
        A clock that has been measured, and is again every `every_s`.

        Raises: JournalError, when there is no such stream; JournalUnreachable, when no quorum answers.
        """
        clock = cls(connection, stream, monotonic)
        for _ in range(_FIRST):
            await clock.measure()
        clock._measuring = asyncio.create_task(clock._keep_measuring(every_s))
        return clock

    def __call__(self) -> float:
        """The fleet's time now."""
        assert self._measured is not None
        at_s = self._monotonic()
        measured_s = at_s + (self._measured.low_s + self._measured.high_s) / 2
        self._shown_s = advanced(self._shown_s, at_s - self._shown_at_s, measured_s)
        self._shown_at_s = at_s
        return self._shown_s

    @property
    def error_s(self) -> float:
        """By how much it may differ from the leader's clock."""
        assert self._measured is not None
        age_s = self._monotonic() - self._measured.at_s
        return (self._measured.high_s - self._measured.low_s) / 2 + age_s * _DRIFT

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
        self._measured = new if self._measured is None else better(self._measured, new)

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
