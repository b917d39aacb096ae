"""/healthz and /readyz: is the process up, and can it do its work."""

import shutil
from collections.abc import Callable

import msgspec
from msgspec import Struct

from tocsin.journal import JournalError
from tocsin.org.http.doors import Doors
from tocsin.org.http.errors import Refusal
from tocsin.org.http.exchange import Exchange
from tocsin.org.org import Org

HEALTH_PATH, READY_PATH = "/healthz", "/readyz"
CATCH_UP_S = 2.0
LEAST_FREE_BYTES = 64 * 1024 * 1024


class Standing(Struct, frozen=True, rename="camel"):
    """Whether an org can take events in and answer with what it took in, and how far it is."""

    ready: bool
    why_not: list[str]
    applied: int
    """The last seq that all projections have."""
    last: int
    """The last seq that is known to be in its journal, never less than `applied`; seqs of a fleet skip numbers."""
    lag: int
    """How far the projections are behind it, in seqs; of a fleet, of what has been in the journal for some seconds."""
    late_s: float
    """For how long, at least, what they lack has been in the journal."""


class NodeStanding(Struct, frozen=True, rename="camel"):
    """The same of a node of a fleet as a whole, for whoever asks at a host that is no org's."""

    ready: bool
    why_not: list[str]
    connected: bool
    """Whether a server of the fleet is there; without one, decisions are answered from what was known."""
    orgs: dict[str, Standing]


class Probes:
    """The doors of both, where the standing is known without asking anybody."""

    def __init__(self, standing: Callable[[], Standing | NodeStanding]) -> None:
        async def tell_standing(exchange: Exchange) -> None:
            await _tell(exchange, standing())

        self._doors = Doors({("GET", HEALTH_PATH): tell_alive, ("GET", READY_PATH): tell_standing})

    def handles(self, path: str) -> bool:
        """Whether `path` is one of theirs."""
        return self._doors.knows(path)

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request that is theirs, with a refusal when it is none that an org would answer."""
        try:
            exchange.check()
            door = self._doors.find(exchange.method, exchange.path)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        else:
            assert door is not None
            await door(exchange)


async def tell_alive(exchange: Exchange) -> None:
    """/healthz, 200: the process answers."""
    await exchange.answer(200, b'{"status":"ok"}')


async def tell_ready(org: Org, exchange: Exchange) -> None:
    """/readyz, 200, or 503 with what is in the way."""
    await _tell(exchange, await readiness(org))


async def _tell(exchange: Exchange, standing: Standing | NodeStanding) -> None:
    await exchange.answer(200 if standing.ready else 503, msgspec.json.encode(standing))


async def readiness(org: Org, *, catch_up_s: float = CATCH_UP_S, least_free_bytes: int = LEAST_FREE_BYTES) -> Standing:
    """Whether the journal can be read and has room, and the projections get what is in it now within `catch_up_s`."""
    why_not = []
    last = 0
    try:
        last = await org.journal.last()
    except JournalError:
        why_not.append("the journal cannot be read")
    if shutil.disk_usage(org.index.path.parent).free < least_free_bytes:
        why_not.append("the disk is nearly full, so the journal can soon not be written")
    late_s = 0.0
    if not await org.projector.wait_for(last, at_most_s=catch_up_s):
        why_not.append("the projections are behind the journal")
        late_s = catch_up_s
    applied = org.projector.applied
    return Standing(not why_not, why_not, applied, max(last, applied), max(0, last - applied), late_s)
