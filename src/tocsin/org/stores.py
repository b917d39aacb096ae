"""What an org keeps beside its journal: each a seam, with one kind on this machine and one that a fleet has in common.

None of it is in the journal, for it changes with every request and is over in minutes, or is easily said again. Every
kind passes the one suite of its seam in `tests/contract`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tocsin.journal import Journal, KeyValue
from tocsin.org.crowdsec.feed import Feed, Pull
from tocsin.org.crowdsec.pulls import FeedPulls
from tocsin.org.freshness import FleetFreshness, Freshness, OwnFreshness
from tocsin.org.last_uses import LastUses
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.proofs import UsedProofs
from tocsin.org.projector import Projector
from tocsin.org.rate_limit import MemoryWindows, Windows
from tocsin.org.shared.proofs import SharedProofs
from tocsin.org.shared.pulls import SharedPulls
from tocsin.org.shared.uses import SharedUses
from tocsin.org.shared.windows import SharedWindows

if TYPE_CHECKING:
    from tocsin.org.folder import DataFolder


class Proofs(Protocol):
    """Which DPoP proofs were used: each works once. Source: RFC 9449, 11.1."""

    async def use(self, proof: Proof, *, now: float) -> bool:
        """Use up `proof` at epoch second `now`: True the first time, and never again. Raises OrgError, JournalError."""
        ...

    async def take_back(self, proof: Proof) -> None:
        """The request that used `proof` came to nothing through our fault, and may come again as it is."""
        ...


class Uses(Protocol):
    """When each API token was last used, to the minute."""

    def note(self, token_id: str, at_ms: int) -> None:
        """A token is used. Returns at once; what cannot be written is logged, for no request is refused for it."""
        ...

    async def all(self) -> dict[str, int]:
        """Epoch milliseconds by token id. Raises OrgError, JournalError."""
        ...


class Pulls(Protocol):
    """How far each bouncer has come."""

    async def of(self, bouncer_id: str) -> Pull | None:
        """How far this bouncer has come; None when that is not known. Raises OrgError, JournalError."""
        ...

    async def note(self, bouncer_id: str, pull: Pull) -> None:
        """From now on this bouncer has come this far; also after a restart. Raises OrgError, JournalError."""
        ...


class Stores(NamedTuple):
    """All of one org."""

    secret: bytes
    """What opens its signing keys."""
    windows: Windows
    used_proofs: Proofs
    last_uses: Uses
    pulls: Pulls
    freshness: Freshness

    def __repr__(self) -> str:
        """Without the secret."""
        return "Stores(<hidden>)"


@contextmanager
def own_stores(folder: "DataFolder", projector: Projector, feed: Feed, *, now: float) -> Iterator[Stores]:
    """Those of an org that one machine serves: in its folder, and the windows in memory. Raises OrgError."""
    used_proofs = UsedProofs(folder.proofs, now=now)
    try:
        last_uses = LastUses(folder.uses)
        try:
            secret, pulls = folder.backing.secret(), FeedPulls(feed, projector)
            yield Stores(secret, MemoryWindows(), used_proofs, last_uses, pulls, OwnFreshness(projector))
        finally:
            last_uses.close()
    finally:
        used_proofs.close()


class Tables(NamedTuple):
    """What the nodes of a fleet share, for all its orgs; how long an entry lives is said beside who uses it."""

    windows: KeyValue
    proofs: KeyValue
    uses: KeyValue
    pulls: KeyValue


@asynccontextmanager
async def fleet_stores(
    tables: Tables, org: str, journal: Journal, projector: Projector, *, secret: bytes
) -> AsyncIterator[Stores]:
    """Those of the org that a fleet knows as `org`; the tables are left open."""
    uses, freshness = SharedUses(tables.uses, org), FleetFreshness(journal, projector)
    windows, proofs, pulls = (
        SharedWindows(tables.windows, org),
        SharedProofs(tables.proofs, org),
        SharedPulls(tables.pulls, org),
    )
    try:
        yield Stores(secret, windows, proofs, uses, pulls, freshness)
    finally:
        await uses.close()
        await freshness.close()
