"""The org's rate limit: a fixed window that opens with the first request. Pure: the clock is an argument.

Source: recorded answers of real orgs. The window lasts 60 s and is not tied to clock minutes, failed requests count,
and a refused request leaves the window as it is.
"""

import math
from typing import NamedTuple

from tocsin.signals.limits import WINDOW_S

_SWEEP_AT = 1024


class Window(NamedTuple):
    """One principal's open window on one bucket."""

    opened: float
    """Epoch seconds of the first request."""
    used: int


class Grant(NamedTuple):
    """The answer to one request, and what the rate headers say about it."""

    allowed: bool
    limit: int
    remaining: int
    """Requests left after this one."""
    reset: int
    """Epoch seconds when the window ends, rounded up: who waits for it does not come too early."""


def take(window: Window | None, *, limit: int, now: float) -> tuple[Window, Grant]:
    """The window after one more request at `now`, and if that request is allowed."""
    if window is None or not is_open(window, now):
        window = Window(now, 0)
    allowed = window.used < limit
    window = window._replace(used=window.used + allowed)
    return window, Grant(allowed, limit, limit - window.used, math.ceil(window.opened + WINDOW_S))


def is_open(window: Window, now: float) -> bool:
    """Whether `window` still counts at `now`. One of the future does not: the clock was set back."""
    return window.opened <= now < window.opened + WINDOW_S


class RateLimits:
    """The open windows of all principals on all buckets. Closed ones are dropped, so it does not grow with time."""

    def __init__(self, limits: dict[str, int]) -> None:
        """`limits` is what each bucket allows a principal in a window."""
        self._limits = limits
        self._windows: dict[tuple[str, str], Window] = {}
        self._sweep_at = _SWEEP_AT

    def take(self, bucket: str, principal: str, *, now: float) -> Grant:
        """One request of `principal` at epoch second `now`."""
        key = (bucket, principal)
        self._windows[key], grant = take(self._windows.get(key), limit=self._limits[bucket], now=now)
        if len(self._windows) >= self._sweep_at:
            self._windows = {key: window for key, window in self._windows.items() if is_open(window, now)}
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._windows))
        return grant

    def __len__(self) -> int:
        """How many windows are held."""
        return len(self._windows)
