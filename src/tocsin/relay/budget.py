"""When the next request may go: a pure decision over the window, the clock, and what waits.

What is not dangerous is spread evenly over what is left of the window, so that something dangerous, whenever it comes,
waits no longer than one slot (2 s at 30 requests a minute). It goes in the next slot, or at once where that leaves the
rest of the window no slower than usual. What fills whole requests, or did not fit into the last one, waits for nothing
but the window; what that leaves of the window is spread evenly again, so that nothing dangerous waits for all of it.
"""

from datetime import datetime
from enum import Enum, auto

from tocsin.relay.window import LENGTH, Window


class Haste(Enum):
    """How urgent the best of what waits is."""

    SPREAD = auto()
    """Evenly over the window."""
    DANGEROUS = auto()
    """In the next slot at the latest, sooner where slots are to spare."""
    AT_ONCE = auto()
    """For as long as the window has room."""


def may_go_at(window: Window, *, haste: Haste, last_sent: datetime | None, now: datetime) -> datetime:
    """The earliest moment for the next request; `now` for at once."""
    if window.closes_at is None or now >= window.closes_at:
        return now
    if window.left <= 0:
        return window.closes_at
    if haste is Haste.AT_ONCE or last_sent is None:
        return now
    if haste is Haste.DANGEROUS and (window.closes_at - now) / window.left <= LENGTH / window.limit:
        return now
    # One slot more than requests: the first request of the next window is evenly spaced too.
    return max(now, last_sent + (window.closes_at - last_sent) / (window.left + 1))
