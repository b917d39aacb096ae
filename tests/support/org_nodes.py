"""Several nodes of one org in this process: each with projections of its own, a journal and tables in common."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2

from tocsin.journal import Journal
from tocsin.org.config import OrgConfig
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.log.index import LogIndex
from tocsin.org.org import Org
from tocsin.org.registry import Registry
from tocsin.org.risk_index import RiskIndex
from tocsin.org.running import at_work
from tocsin.org.stores import Tables, fleet_stores

BASE = "https://org.example"
ORG = "acme"
_SECRET = b"s" * 32


class FleetNode:
    """One node, and how to ask it."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.front = Front(org, base_url=BASE)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.front), base_url=BASE)


@asynccontextmanager
async def fleet_node(
    data: Path,
    journal: Journal,
    tables: Tables,
    *,
    clock: Callable[[], float],
    config: OrgConfig | None = None,
    name: str = ORG,
) -> AsyncIterator[FleetNode]:
    """A node with its files under `data`, at work on the org that the fleet knows as `name`."""
    folder = DataFolder.open(data)
    async with AsyncExitStack() as stack:
        index, feed, log_index = RiskIndex(folder.index), Feed(folder.feed), LogIndex(folder.log)
        for projection in (index, feed, log_index):
            stack.callback(projection.close)
        registry = Registry(journal, folder.directory, [index, feed, log_index])
        stack.push_async_callback(registry.close)
        shared = fleet_stores(tables, name, journal, registry.projector, secret=_SECRET)
        stores = await stack.enter_async_context(shared)
        config = config or OrgConfig()
        org = Org(journal, registry, index, feed, log_index, stores=stores, config=config, clock=clock, shared=True)
        stack.push_async_callback(org.system_log.close)
        await stack.enter_async_context(at_work(org, lambda org: org.projector.run()))
        node = FleetNode(org)
        yield await stack.enter_async_context(_closing(node))


@asynccontextmanager
async def fleet_of(
    data: Path, places: Sequence[tuple[Journal, Tables]], *, clock: Callable[[], float], config: OrgConfig | None = None
) -> AsyncIterator[list[FleetNode]]:
    """A node for each of `places`: the journal and the tables as it sees them."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(fleet_node(data / f"n{n}", *place, clock=clock, config=config))
            for n, place in enumerate(places)
        ]


@asynccontextmanager
async def _closing(node: FleetNode) -> AsyncIterator[FleetNode]:
    async with node.client:
        yield node
