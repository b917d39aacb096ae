"""How far the projections of an org are behind its journal."""

import asyncio

from tocsin.journal.jetstream import JetStreamJournal
from tocsin.org.projector import Projector

_EVERY_S = 1.0


class Lag:
    """
    Of one org here. What came within the last second does not count: it is applied in some milliseconds.

    What is in the journal is known from the start, and from the news that come with each append. When none come, since
    the fleet cannot be reached, nothing is behind.
    """

    def __init__(self, projector: Projector, journal: JetStreamJournal, *, last: int) -> None:
        """`last` is the seq of the journal's last entry at the start."""
        self._projector, self._journal = projector, journal
        self._due = last

    @property
    def applied(self) -> int:
        """The last seq that all projections have."""
        return self._projector.applied

    @property
    def known(self) -> int:
        """The last seq that is known to be in the journal."""
        return max(self._due, self._journal.heard, self._projector.applied_first)

    @property
    def entries(self) -> int:
        """How far behind it is, in seqs: between them may lie entries of other orgs, so it is never more than that."""
        return max(0, self._due - self._projector.applied)

    async def run(self) -> None:
        """Look what is due, for ever."""
        while True:
            known = self.known
            await asyncio.sleep(_EVERY_S)
            self._due = known
