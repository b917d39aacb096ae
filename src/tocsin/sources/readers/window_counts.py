"""How often each address did something lately: the one memory of all readers of logs, bounded and pure.

A window opens with the first event of an address and closes when its time is over; the next event opens a new one. So
whoever does something 2n-1 times within the length of a window has some window with n of them. Within a window each
level is said once, when its count is reached; a level below one that was said and still holds is not said, because the
latest word about an address is the one that counts.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from tocsin.signals import RiskLevel

MOST_KEYS = 50_000
"""Who is forgotten first when there are more: whose window opened first."""


class Step(NamedTuple):
    """From `least` events within a window on, the level is `level`; that holds for `holds_s` seconds."""

    least: int
    level: RiskLevel
    holds_s: float


class Reached(NamedTuple):
    """An address has come to a step that was not said before."""

    step: Step
    events: int
    """How many there were within the window."""
    kinds: int
    """How many different ones of them."""
    of_network: bool = False
    """Whether that takes all addresses of its network together."""


class WindowCounts:
    """Counts by key."""

    def __init__(self, window_s: float, steps: Sequence[Step], *, most_kinds: int = 0, most_keys: int = MOST_KEYS):
        """
        Args:
            steps: the lowest first.
            most_kinds: with so many different kinds of events in a window the last step is reached; 0 for never.
        """
        self._window_s, self._steps, self._most_kinds, self._most_keys = window_s, steps, most_kinds, most_keys
        # A dict would look for its first past all that were let go.
        self._tallies = OrderedDict[str, _Tally]()

    def __len__(self) -> int:
        return len(self._tallies)

    def add(
        self, key: str, at: float, weight: int = 1, kind: str | None = None, *, network: str | None = None
    ) -> Reached | None:
        """
        One event of `key`, which counts for `weight`; `at` in seconds, mostly not before the last one.

        Args:
            network: counted as well, where it is one attacker's; what it reaches is said of each key that takes part.
        """
        tally = most = self._counted(key, at, weight, kind)
        rank = self._rank(tally, tally.said)
        if network is not None:
            wide = self._counted(network, at, weight, kind)
            if (wide_rank := self._rank(wide, tally.said)) > rank:
                rank, most = wide_rank, wide
        if rank <= tally.said:
            return None
        tally.said = rank
        if rank < tally.held and at < tally.held_until:
            return None
        step = self._steps[rank]
        tally.held, tally.held_until = rank, at + step.holds_s
        return Reached(step, most.count, len(most.kinds), most is not tally)

    def _counted(self, key: str, at: float, weight: int, kind: str | None) -> "_Tally":
        tally = self._tallies.get(key)
        if tally is None or at - tally.opened >= self._window_s:
            tally = self._open(key, at, tally)
        tally.count += weight
        if kind is not None and len(tally.kinds) < self._most_kinds:
            tally.kinds.add(hash(kind))
        return tally

    def _rank(self, tally: "_Tally", rank: int) -> int:
        """The step that it has reached, if that is beyond `rank`."""
        if self._most_kinds and len(tally.kinds) >= self._most_kinds:
            return len(self._steps) - 1
        while rank + 1 < len(self._steps) and tally.count >= self._steps[rank + 1].least:
            rank += 1
        return rank

    def _open(self, key: str, at: float, before: "_Tally | None") -> "_Tally":
        if before is not None:
            del self._tallies[key]
        elif len(self._tallies) >= self._most_keys:
            self._tallies.popitem(last=False)
        tally = self._tallies[key] = _Tally(at)
        if before is not None:
            tally.held, tally.held_until = before.held, before.held_until
        return tally


class _Tally:
    __slots__ = ("count", "held", "held_until", "kinds", "opened", "said")

    def __init__(self, opened: float) -> None:
        self.opened, self.count, self.said = opened, 0, -1
        self.kinds = set[int]()
        self.held, self.held_until = -1, 0.0
