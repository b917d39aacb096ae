"""Moments that go as time goes, whatever is done to the clock meanwhile: windows and pauses are counted by them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.signals import from_ms, to_ms

REMEMBERED = timedelta(minutes=1)
"""For so long it matters what the clock showed before it was set: no window is open for longer."""
_DRIFT = timedelta(seconds=0.1)


class SteadyClock:
    """Begins with what `clock` shows, and belongs to the running event loop, whose time it goes by."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock, self._time_s = clock, asyncio.get_running_loop().time
        self._began, self._began_s = clock(), self._time_s()
        self._ahead: list[tuple[datetime, timedelta]] = [(self._began, timedelta(0))]
        """Since when, and by how much, the clock has been ahead of this one."""

    def __call__(self) -> datetime:
        """Now."""
        return self._began + timedelta(seconds=self._time_s() - self._began_s)

    def shown_ms(self, moment: datetime) -> int:
        """What the clock, as it goes now, shows at a moment: for others."""
        return to_ms(moment + self._look()[-1])

    def moment(self, shown_ms: int) -> datetime:
        """The latest moment that may have been meant by what the clock was to show, as it was known a minute ago."""
        return from_ms(shown_ms) - min(self._look())

    def _look(self) -> list[timedelta]:
        """By how much the clock was ahead in the last minute, and last by how much it is now."""
        now = self()
        ahead = self._clock() - now
        if abs(ahead - self._ahead[-1][1]) > _DRIFT:
            self._ahead.append((now, ahead))
        while len(self._ahead) > 1 and self._ahead[1][0] < now - REMEMBERED:
            del self._ahead[0]
        return [*(before for _, before in self._ahead), ahead]
