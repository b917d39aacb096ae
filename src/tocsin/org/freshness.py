"""Whether a node knows what it must know before it lets somebody in."""

from typing import Protocol

from tocsin.org.projector import Projector


class Freshness(Protocol):
    """Asked before a request is let in, and before one is turned away as unknown."""

    async def confirm(self) -> None:
        """
        Return when this node knows all of the directory that was acknowledged anywhere before this was called.

        Raises: JournalError, when that cannot be: `Unreachable` when nobody could be asked.
        """
        ...

    async def look_again(self) -> None:
        """Somebody is not known: return when what was acknowledged before this was called is. Raises JournalError."""
        ...


class OwnFreshness:
    """Of an org that one machine serves: another process of it may have made a token, and tells within milliseconds."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def confirm(self) -> None:
        """See `Freshness.confirm`: what this process answered it knows itself."""

    async def look_again(self) -> None:
        """See `Freshness.look_again`."""
        await self._projector.catch_up_first()
