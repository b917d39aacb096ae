"""What stands behind the files of an org: its journal, the secret that opens the keys in it, the clock that counts.

An org that is served from one machine has all of it in its data folder. One of a fleet has it in common with all nodes.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tocsin.journal import Journal
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.last_uses import LastUses
from tocsin.org.marker import write_whole
from tocsin.org.projector import Projector
from tocsin.org.stores import Stores, Uses, own_stores

if TYPE_CHECKING:
    from tocsin.org.folder import DataFolder

SECRET_BYTES = 32


class Backing(Protocol):
    """Of one org."""

    shared: bool
    """Whether others have projections of the journal too."""

    def opened(self) -> AbstractAsyncContextManager[Journal]:
        """The journal, until the block ends. Raises JournalError when that cannot be."""
        ...

    def stores(
        self, folder: "DataFolder", journal: Journal, projector: Projector, feed: Feed, now: float
    ) -> AbstractAsyncContextManager[Stores]:
        """What it keeps beside the journal, until the block ends; `now` is the org's. Raises OrgError, JournalError."""
        ...

    def last_uses(self, folder: "DataFolder") -> AbstractAsyncContextManager[Uses]:
        """Of that, when each API token was last used. Raises OrgError, JournalError."""
        ...

    def secret(self) -> bytes:
        """32 bytes that open the org's signing keys. Raises OrgError when there are none."""
        ...

    def now(self) -> float:
        """Epoch seconds, by the clock that counts for this org."""
        ...


class OwnFiles:
    """All of it in one data folder; both files are made on first use."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.journal = folder / "journal.db"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Journal]:
        """See `Backing.opened`."""
        journal = await SqliteJournal.open(self.journal)
        try:
            yield journal
        finally:
            await journal.close()

    @asynccontextmanager
    async def stores(
        self, folder: "DataFolder", _journal: Journal, projector: Projector, feed: Feed, now: float
    ) -> AsyncIterator[Stores]:
        """See `Backing.stores`."""
        with own_stores(folder, projector, feed, now=now) as stores:
            yield stores

    @asynccontextmanager
    async def last_uses(self, folder: "DataFolder") -> AsyncIterator[Uses]:
        """See `Backing.last_uses`."""
        with closing(LastUses(folder.uses)) as uses:
            yield uses

    def secret(self) -> bytes:
        """See `Backing.secret`."""
        place = self._folder / "secret"
        with telling(self._folder):
            if not place.exists():
                write_whole(place, secrets.token_bytes(SECRET_BYTES))
            secret = place.read_bytes()
        if len(secret) != SECRET_BYTES:
            raise OrgError(f"{place} is damaged", hint="restore it; or delete it, and clients have to get new tokens")
        return secret

    def now(self) -> float:
        """See `Backing.now`."""
        return time.time()
