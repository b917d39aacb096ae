"""/healthz and /readyz: is the process up, and can it do its work."""

import shutil

import msgspec
from msgspec import Struct

from tocsin.journal import JournalError
from tocsin.org.http.exchange import Exchange
from tocsin.org.org import Org

HEALTH_PATH, READY_PATH = "/healthz", "/readyz"
CATCH_UP_S = 2.0
LEAST_FREE_BYTES = 64 * 1024 * 1024


class ReadyView(Struct, frozen=True, rename="camel"):
    """Whether the org can take events in and answer with what it took in."""

    ready: bool
    why_not: list[str]
    lag: int
    """Entries of the journal that are not in all projections yet."""


async def tell_health(_org: Org, exchange: Exchange) -> None:
    """200: the process answers."""
    await exchange.answer(200, b'{"status":"ok"}')


async def tell_ready(org: Org, exchange: Exchange) -> None:
    """200, or 503 with what is in the way."""
    view = await readiness(org)
    await exchange.answer(200 if view.ready else 503, msgspec.json.encode(view))


async def readiness(org: Org, *, catch_up_s: float = CATCH_UP_S, least_free_bytes: int = LEAST_FREE_BYTES) -> ReadyView:
    """Whether the journal can be read and has room, and the projections get what is in it now within `catch_up_s`."""
    why_not = []
    last = 0
    try:
        last = await org.journal.last()
    except JournalError:
        why_not.append("the journal cannot be read")
    if shutil.disk_usage(org.index.path.parent).free < least_free_bytes:
        why_not.append("the disk is nearly full, so the journal can soon not be written")
    if not await org.projector.wait_for(last, at_most_s=catch_up_s):
        why_not.append("the projections are behind the journal")
    return ReadyView(not why_not, why_not, max(0, last - org.projector.applied))
