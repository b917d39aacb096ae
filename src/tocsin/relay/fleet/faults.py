"""What a worker could not serve: when it tries again, and when it leaves that to others. Takes the time as a number."""

from msgspec import Struct

AGAIN_AFTER_S = 15.0
"""What could not be served is tried again after so long."""
IN_A_ROW = 3
"""After so many failures it may be this machine (its disk, a file that is missing there): others shall try."""
LEFT_FOR_S = 300.0
"""For so long; then this worker takes its part again."""
FAILING_FOR_S = 60.0
"""What has not failed again for so long is well."""
MOST_LEFT, MOST_FAILING = 500, 50
"""So much is left to others at a time, and told with its reason: in the worker's presence, which has to stay small."""
_REASON_CHARS = 200


class Failing(Struct, frozen=True):
    """What a worker should serve and cannot."""

    item: str
    reason: str
    for_s: float
    """How long it has been so."""


class Faults:
    """Those of one worker."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}
        self._last_s: dict[str, float] = {}
        self._again_s: dict[str, float] = {}
        """When it may be tried again."""
        self._why: dict[str, tuple[str, float]] = {}
        """The last reason of what has failed, and when the first of those in a row was."""

    def failed(self, item: str, now_s: float, reason: str) -> bool:
        """It could not be served, by this worker's fault for all we know. Returns: whether others shall try it."""
        since_last_s = now_s - self._last_s.get(item, float("-inf"))
        self._in_a_row[item] = 1 + (self._in_a_row[item] if since_last_s < LEFT_FOR_S else 0)
        # What was left to others is tried again after that, and may fail still.
        since_s = self._why[item][1] if since_last_s < LEFT_FOR_S + FAILING_FOR_S else now_s
        self._why[item] = (reason[:_REASON_CHARS], since_s)
        self._last_s[item] = now_s
        self.put_off(item, now_s)
        return item in self.cannot(now_s)

    def put_off(self, item: str, now_s: float) -> None:
        """It could not be served, and that was nobody's fault here."""
        self._again_s[item] = now_s + AGAIN_AFTER_S

    def waits(self, item: str, now_s: float) -> bool:
        """Whether it is too early to try it again."""
        return now_s < self._again_s.get(item, now_s)

    def cannot(self, now_s: float) -> frozenset[str]:
        """What others shall try."""
        found = [
            item
            for item, count in self._in_a_row.items()
            if count >= IN_A_ROW and now_s - self._last_s[item] < LEFT_FOR_S
        ]
        return frozenset(found[:MOST_LEFT])

    def failing(self, now_s: float) -> list[Failing]:
        """What fails now, with the reason, longest first."""
        left = self.cannot(now_s)
        found = [
            Failing(item, reason, round(now_s - since_s))
            for item, (reason, since_s) in self._why.items()
            if item in left or now_s - self._last_s[item] < FAILING_FOR_S
        ]
        return sorted(found, key=lambda one: (-one.for_s, one.item))[:MOST_FAILING]
