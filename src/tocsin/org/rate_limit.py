"""The org's rate limit: fixed windows that open with the first request. Pure: the clock is an argument.

Source: recorded answers of real orgs. A window lasts 60 s and is not tied to clock minutes, failed requests count, and
a refused request leaves it as it is. A request counts in two nested buckets, the org's and its principal's share of it;
what binds is what the headers tell.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from tocsin.signals.limits import WINDOW_S

_SWEEP_AT = 1024


class Window(NamedTuple):
    """One open window on one bucket."""

    opened: float
    """Epoch seconds of the first request."""
    used: int = 0
    refused: bool = False
    """Whether it has refused a request."""


class Grant(NamedTuple):
    """The answer to one request, and what the rate headers say about it."""

    allowed: bool
    limit: int
    remaining: int
    """Requests left after this one."""
    reset: int
    """Epoch seconds when the window ends, rounded up: who waits for it does not come too early."""
    first_refusal: bool = False
    """Whether this is the first request that the principal's window refuses."""


def is_open(window: Window, now: float) -> bool:
    """
    Whether `window` still counts at `now`.

    One of the future does: the clock of the node that opened it is ahead by a little. But not one that lies a whole
    window ahead: the clock was set back.
    """
    return abs(now - window.opened) < WINDOW_S


def take(org: Window | None, own: Window | None, *, limit: int, share: int, now: float) -> tuple[Window, Window, Grant]:
    """
    The windows after one more request at `now`, and if that is allowed: it counts in both, or in neither.

    Args:
        org, own: the windows of the whole org and of the one who asks; None for none yet.
        limit: requests in a window of the org.
        share: requests in a window of the one who asks.
    """
    org, own = _opened(org, now), _opened(own, now)
    # What binds is what the headers tell: the fewest left, and of equals the one that ends last.
    window, most = min((own, share), (org, limit), key=lambda one: (one[1] - one[0].used, -one[0].opened))
    left = most - window.used
    allowed = left > 0
    reset = math.ceil(window.opened + WINDOW_S)
    grant = Grant(allowed, most, max(0, left - allowed), reset, first_refusal=not (allowed or own.refused))
    if allowed:
        return org._replace(used=org.used + 1), own._replace(used=own.used + 1), grant
    return org, own._replace(refused=True), grant


def _opened(window: Window | None, now: float) -> Window:
    return window if window is not None and is_open(window, now) else Window(now)


class Windows(Protocol):
    """The open windows of all principals on all buckets, wherever they are kept."""

    async def take(self, bucket: str, principal: str, *, limit: int, share: int, clock: Callable[[], float]) -> Grant:
        """
        One request of `principal`. Raises JournalError when it cannot be counted.

        Args:
            limit: what `bucket` allows the whole org in a window.
            share: how much of that one principal may use.
            clock: tells epoch seconds; read when it is the request's turn, which may be a while after it came.
        """
        ...


class MemoryWindows:
    """In memory, of one process. Closed ones are dropped, so it does not grow with time."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str | None], Window] = {}
        self._sweep_at = _SWEEP_AT

    async def take(self, bucket: str, principal: str, *, limit: int, share: int, clock: Callable[[], float]) -> Grant:
        """See `Windows.take`."""
        return self._take((bucket, None), (bucket, principal), limit, share, clock())

    def take_alone(self, bucket: str, principal: str, *, limit: int, now: float) -> Grant:
        """One request of `principal`, who has `bucket` for itself, at epoch second `now`."""
        return self._take((bucket, f"all of {principal}"), (bucket, principal), limit, limit, now)

    def __len__(self) -> int:
        """How many windows are held."""
        return len(self._windows)

    def _take(self, org: tuple[str, str | None], own: tuple[str, str], limit: int, share: int, now: float) -> Grant:
        self._windows[org], self._windows[own], grant = take(
            self._windows.get(org), self._windows.get(own), limit=limit, share=share, now=now
        )
        if len(self._windows) >= self._sweep_at:
            self._windows = {key: window for key, window in self._windows.items() if is_open(window, now)}
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._windows))
        return grant


class RateLimits:
    """How much each bucket allows, counted in `Windows`."""

    def __init__(self, limits: Mapping[str, int], windows: Windows, *, share_percent: int = 100) -> None:
        """
        Args:
            limits: what each bucket allows the whole org in a window.
            share_percent: how much of that one principal may use; at least one request.
        """
        self._limits, self._windows, self._strangers = dict(limits), windows, MemoryWindows()
        self._shares = {bucket: max(1, limit * share_percent // 100) for bucket, limit in limits.items()}

    async def take(self, bucket: str, principal: str, *, clock: Callable[[], float]) -> Grant:
        """See `Windows.take`."""
        limit, share = self._limits[bucket], self._shares[bucket]
        return await self._windows.take(bucket, principal, limit=limit, share=share, clock=clock)

    def take_of_stranger(self, bucket: str, who: str, *, now: float) -> Grant:
        """
        One request at epoch second `now` of somebody who is not known yet, and has `bucket` for itself.

        Nobody shall use up that of others. It is counted by this process alone: anybody can be very many strangers, and
        is let in nowhere by it.
        """
        return self._strangers.take_alone(bucket, who, limit=self._limits[bucket], now=now)
