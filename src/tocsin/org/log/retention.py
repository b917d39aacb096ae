"""Forgets events of the System Log that are past its retention, in small steps, without stopping anything."""

import asyncio
from collections.abc import Callable
from functools import partial

from tocsin.org.log.index import LogIndex
from tocsin.org.log.system_log import SystemLog
from tocsin.org.projector import Projector
from tocsin.org.rounds import in_rounds

STEP_EVENTS = 1000  # forgotten in some milliseconds
_PAUSE_S = 0.05
_REST_S = 600.0


class LogRetention:
    """Keeps one index to its retention."""

    def __init__(
        self, projector: Projector, index: LogIndex, system_log: SystemLog, *, clock: Callable[[], float]
    ) -> None:
        self._projector = projector
        self._index = index
        self._system_log = system_log
        self._clock = clock

    async def run(self) -> None:
        """One round after another, with a rest between."""
        await in_rounds(self.round, rest_s=_REST_S, failed="log.retention_failed")

    async def round(self, *, pause_s: float = _PAUSE_S) -> None:
        """Forget all that is past the retention now. Raises OrgError."""
        before_ms = self._system_log.oldest_ms(int(self._clock() * 1000))
        step = partial(self._index.forget, before_ms=before_ms, limit=STEP_EVENTS)
        forgotten = STEP_EVENTS
        while forgotten == STEP_EVENTS:
            forgotten = await self._projector.alone(step)
            await asyncio.sleep(pause_s)
