"""How far each bouncer has come, known on this machine alone: kept in the feed's file."""

from functools import partial

from tocsin.org.crowdsec.feed import Feed, Pull
from tocsin.org.projector import Projector


class FeedPulls:
    """See `Pulls`. The file is changed by the thread of `projector`."""

    def __init__(self, feed: Feed, projector: Projector) -> None:
        self._feed, self._projector = feed, projector

    async def of(self, bouncer_id: str) -> Pull | None:
        """See `Pulls.of`."""
        return self._feed.pull(bouncer_id)

    async def note(self, bouncer_id: str, pull: Pull) -> None:
        """See `Pulls.note`."""
        await self._projector.alone(partial(self._feed.pulled, bouncer_id, pull))
