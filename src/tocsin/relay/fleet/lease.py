"""For how long a worker may act for what it has, and when others may have it. Pure.

A worker's presence stands in a table in which an entry lives for `life_s` after it was written. The worker counts from
the moment *before* it wrote, on a clock that only goes forward, and ends `margin_s` early; others count on the entry
being gone. So nobody's wall clock matters, and between the end of the one and the start of the other lies a gap.
"""

from msgspec import Struct


class Timing(Struct, frozen=True):
    """All of it follows from one number: within that time another worker goes on with what a dead one had."""

    lease_s: float

    @classmethod
    def with_life(cls, life_s: float) -> "Timing":
        """That of the lease whose entries stand for `life_s`."""
        return cls(life_s * 5 / 4)

    @property
    def life_s(self) -> float:
        """How long an entry of the table of workers stands. The rest of the lease is for the others to notice."""
        return self.lease_s * 4 / 5

    @property
    def round_s(self) -> float:
        """How often a worker renews its presence and looks at the others: six times in a life."""
        return self.life_s / 6

    @property
    def margin_s(self) -> float:
        """By so much a worker ends before its entry does: for a request that is just going out."""
        return self.life_s / 12

    def pause_s(self, *, asked_s: float, now_s: float) -> float:
        """
        How long to wait before renewing again what was asked for at `asked_s`.

        The rounds are counted from the asking. So a worker whose last renewal took no time holds for three quarters of
        a life when the servers fall silent (nine seconds of a lease of 15: an election takes four to nine), and one
        whose renewal took that long asks again at once.
        """
        return max(0.0, asked_s + self.round_s - now_s)


class Lease(Struct, frozen=True):
    """That of one worker, on its own clock."""

    ends_s: float

    def holds(self, now_s: float) -> bool:
        """Whether the worker may act."""
        return now_s < self.ends_s


NO_LEASE = Lease(float("-inf"))


def renewed(timing: Timing, *, asked_s: float) -> Lease:
    """The lease after an entry was written, which was asked for at `asked_s`."""
    return Lease(asked_s + timing.life_s - timing.margin_s)
