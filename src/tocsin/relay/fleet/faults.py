"""What a worker could not serve: when it tries again, and when it leaves that to others. Takes the time as a number."""

AGAIN_AFTER_S = 15.0
"""What could not be served is tried again after so long."""
IN_A_ROW = 3
"""After so many failures it may be this machine (its disk, a file that is missing there): others shall try."""
LEFT_FOR_S = 300.0
"""For so long; then this worker takes its part again."""
MOST_LEFT = 500
"""So much is left to others at a time; it is told in the worker's presence, which has to stay small."""


class Faults:
    """Those of one worker."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}
        self._last_s: dict[str, float] = {}

    def failed(self, item: str, now_s: float) -> bool:
        """It could not be served, by this worker's fault for all we know. Returns: whether others shall try it."""
        before = self._in_a_row.get(item, 0) if now_s - self._last_s.get(item, now_s) < LEFT_FOR_S else 0
        self._in_a_row[item] = before + 1
        self.put_off(item, now_s)
        return item in self.cannot(now_s)

    def put_off(self, item: str, now_s: float) -> None:
        """It could not be served, and that was nobody's fault here."""
        self._last_s[item] = now_s

    def waits(self, item: str, now_s: float) -> bool:
        """Whether it is too early to try it again."""
        return now_s < self._last_s.get(item, float("-inf")) + AGAIN_AFTER_S

    def cannot(self, now_s: float) -> frozenset[str]:
        """What others shall try."""
        found = [
            item
            for item, count in self._in_a_row.items()
            if count >= IN_A_ROW and now_s - self._last_s[item] < LEFT_FOR_S
        ]
        return frozenset(found[:MOST_LEFT])
