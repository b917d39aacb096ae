"""How far the projections of an org are behind its journal."""

import time
from collections.abc import Callable

from tocsin.org.projector import Projector


class Lag:
    """
    Of one org here: how late it is, and not only by how many entries. A few that nobody applies are old all the same.

    `look` is to be told every few seconds what the journal holds. While nobody can say, since the fleet cannot be
    reached, nothing gets late.
    """

    def __init__(self, projector: Projector, *, last: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`last` is the seq of the journal's last entry at the start."""
        self._projector, self._monotonic = projector, monotonic
        self._at_start = self._due = self._known = last
        """What was in the journal `_since_s`; `_known` is what was in it when somebody last could say."""
        self._since_s = monotonic()

    @property
    def applied(self) -> int:
        """The last seq that all projections have."""
        return self._projector.applied

    @property
    def last(self) -> int:
        """The last seq that is known to be in the journal; what is applied was in it, whenever it was looked at."""
        return max(self._known, self.applied)

    @property
    def entries(self) -> int:
        """How far behind it is, in seqs: between them may lie entries of other orgs, so it is never more than that."""
        return max(0, self._due - self.applied)

    @property
    def caught_up(self) -> bool:
        """Whether what the journal held at the start is applied."""
        return self.applied >= self._at_start

    @property
    def late_s(self) -> float:
        """For how long something has been in the journal, and is not applied; 0 when there is nothing."""
        return self._monotonic() - self._since_s if self.applied < self._due else 0.0

    def look(self, known: int | None) -> None:
        """The journal's last entry has the seq `known` now; None when nobody could say."""
        if known is not None:
            self._known = max(self._known, known)
        if self.applied >= self._due or known is None:
            self._due, self._since_s = self._known, self._monotonic()
