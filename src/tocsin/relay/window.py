"""A model of the org's budget: how many requests it still takes in its window, and when the next one opens.

The org's window is fixed, opens with the first request that meets it, and closes 60 seconds later. The org tells its
end by its own clock; only the difference to the answer's own `Date` is used, so no skew between the clocks matters.
All moments here are on a clock of ours that goes steadily. Nothing here waits: `spend` says how long to.
"""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.signals.limits import REQUESTS_PER_WINDOW, WINDOW_S

LENGTH = timedelta(seconds=WINDOW_S)


class Allowance(Struct, frozen=True):
    """What one answer says about the budget; None for what it does not say."""

    limit: int | None = None
    """Requests in a window."""
    remaining: int | None = None
    """Requests left after this one."""
    reset_in: timedelta | None = None
    """From the answer until no trace of this window is left; by the difference of the org's own times."""


class Window(Struct, frozen=True):
    """The budget as far as we know it. A request is spent before it is sent, and corrected by its answer."""

    limit: int = REQUESTS_PER_WINDOW
    """Requests in a window: what the documentation says, until the org says what it grants."""
    left: int = 0
    closes_at: datetime | None = None
    """None while no window is known to be open."""
    at_most: int | None = None
    """Leave to others whatever the org grants beyond this."""

    def spend(self, now: datetime) -> tuple["Window", timedelta]:
        """The window once one more request is sent, and how long to wait before sending it (zero for not at all)."""
        closes_at = self.closes(now)
        if closes_at is None:
            return self._opened(now), timedelta(0)
        if self.left > 0:
            return replace(self, left=self.left - 1), timedelta(0)
        return self._opened(closes_at), closes_at - now

    def closes(self, now: datetime) -> datetime | None:
        """When the window that is open closes; None when none is known to be."""
        return self.closes_at if self.closes_at is not None and now < self.closes_at else None

    def heard(self, allowance: Allowance, *, now: datetime) -> "Window":
        """The window after an answer that came at `now`, to the one request that was on its way."""
        granted = allowance.limit or self.limit
        limit = granted if self.at_most is None else min(granted, self.at_most)
        if allowance.remaining is None or allowance.reset_in is None:
            return self._counted_alone(limit, now)
        left = max(0, allowance.remaining - (granted - limit))
        # No window is open for longer than its length, so what says otherwise (whole seconds do) is cut to that.
        closes_at = now + min(allowance.reset_in, LENGTH)
        if self.closes_at is not None and left <= min(self.left, limit - 2):
            closes_at = min(closes_at, self.closes_at)  # the same window: the shorter of two upper bounds is true
        return replace(self, limit=limit, left=left, closes_at=closes_at)

    def _counted_alone(self, limit: int, now: datetime) -> "Window":
        if self.closes(now) is None:
            # The request may have come too late for the window it was sent in, and have opened the next one.
            return replace(self, limit=limit, left=limit - 1, closes_at=now + LENGTH)
        if self.left == self.limit - 1:
            # It opened a window when it arrived, which was before its answer came.
            return replace(self, limit=limit, left=limit - 1, closes_at=now + LENGTH)
        return replace(self, limit=limit)

    def time_for(self, requests: int, *, now: datetime) -> timedelta:
        """How long the budget makes so many requests take: from now until the last of them may be sent."""
        closes_at = self.closes(now)
        if closes_at is None:
            to_close, beyond = LENGTH, requests - self.limit
        else:
            to_close, beyond = closes_at - now, requests - self.left
        return timedelta(0) if beyond <= 0 else to_close + LENGTH * ((beyond - 1) // self.limit)

    def _opened(self, at: datetime) -> "Window":
        return replace(self, left=self.limit - 1, closes_at=at + LENGTH)
