"""A node in this process, of a fleet whose journals and tables are in its memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2

from tocsin.journal import Journal, MemoryJournal, MemoryKeyValue
from tocsin.org.backing import Backing
from tocsin.org.config import OrgConfig
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.fleet.fleet import Fleet
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.node import Node
from tocsin.org.fleet.registered import Registered, RegisteredOrg
from tocsin.org.folder import DataFolder
from tocsin.org.http.hosts import Hosts
from tocsin.org.last_uses import LastUses
from tocsin.org.org import Org
from tocsin.org.projector import Projector
from tocsin.org.stores import Stores, Tables, Uses, fleet_stores
from tocsin.org.worker import Worker

NOW = 1_770_000_000.0


class MemoryFleet:
    """`Fleet`, as far as a node asks it."""

    def __init__(self, path: Path) -> None:
        self.node = NodeFolder.open(path)
        self.table = MemoryKeyValue(clock=self.clock)
        self.registered = Registered(self.table)
        self.tables = Tables(*(MemoryKeyValue(clock=self.clock) for _ in range(4)))
        self.journals = dict[str, Journal]()
        self.connection = self
        self.is_connected = True
        self.stream_created = "once"

    def clock(self) -> float:
        return NOW

    def journal_of(self, org: RegisteredOrg) -> str:
        return f"{org.created_ms} {self.stream_created}"

    def folder_of(self, name: str, org: RegisteredOrg) -> DataFolder:
        journal = self.journals.setdefault(name, MemoryJournal())
        return self.node.of_org(name, self.journal_of(org), backing_of(journal, self.tables, name))


class InProcess:
    """A `Worker` that has no process."""

    async def upkeep(self, org: Org, *, name: str) -> None:
        await org.projector.run()


class _InMemory:
    """`Backing` of an org whose journal is not its folder's."""

    shared = True

    def __init__(self, journal: Journal, tables: Tables, name: str) -> None:
        self._journal, self._tables, self._name = journal, tables, name

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Journal]:
        yield self._journal

    @asynccontextmanager
    async def stores(
        self, _folder: DataFolder, journal: Journal, projector: Projector, _feed: Feed, _now: float
    ) -> AsyncIterator[Stores]:
        async with fleet_stores(self._tables, self._name, journal, projector, secret=self.secret()) as stores:
            yield stores

    @asynccontextmanager
    async def last_uses(self, folder: DataFolder) -> AsyncIterator[Uses]:
        yield LastUses(folder.uses)

    def secret(self) -> bytes:
        return b"s" * 32

    def now(self) -> float:
        return NOW


def backing_of(journal: Journal, tables: Tables | None = None, name: str = "acme") -> Backing:
    """Of an org whose journal is not its folder's."""
    return _InMemory(journal, tables or Tables(*(MemoryKeyValue(clock=lambda: NOW) for _ in range(4))), name)


@asynccontextmanager
async def running(
    fleet: MemoryFleet,
    *only: str,
    config: OrgConfig | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[tuple[Node, httpx2.AsyncClient]]:
    """A node that has looked, and who asks it over HTTP."""
    worker = cast("Worker", InProcess())
    config = config or OrgConfig()
    node = Node(cast("Fleet", fleet), worker, config, most_late_s=30.0, only=only, monotonic=monotonic)
    await node.look()
    task = asyncio.create_task(node.run())
    application = cast("Any", Hosts(node, clock=fleet.clock))
    try:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://node") as client:
            yield node, client
    finally:
        node.stop()
        task.cancel()
        await asyncio.wait([task])


async def ready(client: httpx2.AsyncClient, host: str = "10.0.0.1") -> None:
    async with asyncio.timeout(20):
        while (await client.get("/readyz", headers={"host": host})).status_code != 200:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
