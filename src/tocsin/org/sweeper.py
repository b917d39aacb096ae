"""Forgets what has expired: walks the risk index in small steps, for ever, without stopping anything."""

import asyncio
from collections.abc import Callable, Collection
from functools import partial

from tocsin.org.assertions import GRACE_MS
from tocsin.org.projector import Projector
from tocsin.org.risk_index import STEP_IPS, RiskIndex
from tocsin.org.rounds import in_rounds

_PAUSE_S = 0.05
_REST_S = 60.0


class Sweeper:
    """Sweeps one index."""

    def __init__(
        self, projector: Projector, index: RiskIndex, *, live: Callable[[], Collection[str]], clock: Callable[[], float]
    ) -> None:
        """`live` gives the ids of the providers whose words are kept; what others said is forgotten."""
        self._projector = projector
        self._index = index
        self._live = live
        self._clock = clock

    async def run(self) -> None:
        """One round after another, with a rest between."""
        await in_rounds(self.round, rest_s=_REST_S, failed="sweep.failed")

    async def round(self, *, pause_s: float = _PAUSE_S) -> None:
        """Walk the whole index once. Raises JournalError or OrgError."""
        # What waits in the journal was received before now, and must meet what it met when it was received.
        await self._projector.catch_up()
        until_ms = int(self._clock() * 1000) - GRACE_MS
        place: bytes | None = b""
        while place is not None:
            place = await self._projector.alone(partial(self._step, place, until_ms))
            await asyncio.sleep(pause_s)

    def _step(self, start: bytes, until_ms: int) -> bytes | None:
        # The providers of this moment: each is in the directory before its first assertion is in the index.
        return self._index.sweep(start, until_ms=until_ms, providers=self._live(), limit=STEP_IPS)
