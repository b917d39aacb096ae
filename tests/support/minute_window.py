"""An org's limiter, as simple as it can be: the second model that ours is held against."""

from datetime import datetime, timedelta
from math import ceil

from tocsin.relay import Allowance


class MinuteWindow:
    """Opens with the first request, closes 60 s later, counts what it refuses too; its clock is off by `skew`."""

    def __init__(self, *, limit: int, skew: timedelta = timedelta(0)) -> None:
        self.limit, self._skew = limit, skew
        self._closes: datetime | None = None
        self._count = 0

    def ask(self, arrived: datetime) -> int:
        """202 or 429, for a request that arrives at this moment of true time."""
        if self._closes is None or arrived >= self._closes:
            self._closes, self._count = arrived + timedelta(seconds=60), 0
        self._count += 1
        return 202 if self._count <= self.limit else 429

    def headers(self, answered: datetime) -> dict[str, int]:
        """Limit, remaining, reset and date in whole seconds of its own clock, as they go out."""
        assert self._closes is not None
        return {
            "limit": self.limit,
            "remaining": max(0, self.limit - self._count),
            "reset": ceil((self._closes + self._skew).timestamp()),
            "date": int((answered + self._skew).timestamp()),
        }

    def allowance(self, answered: datetime) -> Allowance:
        """The same, as the SDK reads it: with the second of margin that all official clients add."""
        headers = self.headers(answered)
        reset_in = timedelta(seconds=max(headers["reset"] - headers["date"], 0) + 1)
        return Allowance(headers["limit"], headers["remaining"], reset_in)
