"""A fleet whose ways, from server to server and from node to server, lead through a network of the test's own."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from support.fleet import TestFleet
from support.flood import Flood, check_journal, check_windows
from support.jetstream import jetstream
from support.nats_cluster import NatsCluster, NatsNode, until
from support.org import OrgProcess
from support.tcp_proxy import Link, Network
from tocsin.journal import Entry
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.org.fleet.declared import STREAM, declared
from tocsin.org.records import Role, local_deed
from tocsin.org.registry import Registry
from tocsin.org.risk_index import RiskIndex

LIMIT = 60
"""Requests in a window at the door that a flood counts."""
_CONFIG = f"""patience_s = 3.0
[limits]
risk_events = 100000
clients = {LIMIT}
"""


class Route(NamedTuple):
    """A way between a server and another one."""

    link: Link
    connects: bool
    """Whether it is the server that connects to the other."""


class FaultyFleet:
    """Three servers, and nodes as they are started. `faulty_fleet` makes one."""

    def __init__(self, folder: Path, network: Network, cluster: NatsCluster, routes: Mapping[str, list[Route]]) -> None:
        """`routes` are those to and from each server."""
        self.cluster, self.nodes = cluster, dict[str, OrgProcess]()
        self._folder, self._network, self._routes = folder, network, routes
        self._fleet = TestFleet(folder / "fleet", cluster)
        self._config = folder / "node.toml"
        self._ways: dict[str, list[Link]] = {}
        self._ports: dict[str, int] = {}

    @property
    def leader(self) -> NatsNode:
        """The server that leads the stream of the journals."""
        return self.cluster.leader(STREAM)

    @property
    def follower(self) -> NatsNode:
        """One that does not."""
        return self.cluster.followers(STREAM)[0]

    async def found(self) -> None:
        """Make streams and buckets."""
        await self._fleet.found()
        self._config.write_text(self._fleet.config.read_text() + _CONFIG)

    def start(self, name: str, *, clock_off_s: float = 0.0) -> OrgProcess:
        """Start the node `name`, also again; it reaches the servers by links of its own."""
        if name not in self._ways:
            self._ways[name] = [self._network.link(server.port) for server in self.cluster.nodes]
        servers = "nats://" + ",".join(f"127.0.0.1:{link.port}" for link in self._ways[name])
        arguments = ["--journal", servers, "--config", str(self._config)]
        wrong_clock = {"PYTHONPATH": str(Path(__file__).with_name("clock_off")), "CLOCK_OFF_S": str(clock_off_s)}
        env = wrong_clock if clock_off_s else None
        node = self.nodes[name] = OrgProcess(self.data(name), *arguments, port=self._ports.get(name, 0), env=env)
        self._ports[name] = int(node.url.rpartition(":")[2])
        return node

    def end(self, name: str) -> None:
        """Kill the node `name`; it may be started again, at the same port."""
        self.nodes.pop(name).kill()

    def stop(self, name: str) -> None:
        """The same, but ask the node."""
        assert self.nodes.pop(name).stop() == 0

    def data(self, name: str, org: str | None = None) -> Path:
        """The data folder of the node `name`, or that of an org in it."""
        return self._folder / name if org is None else self._folder / name / "orgs" / org

    def server_links(self, server: NatsNode) -> list[Link]:
        """The links between `server` and the others; nodes reach it by others."""
        return [route.link for route in self._routes[server.name]]

    def hang_one_way(self, server: NatsNode, *, hears: bool) -> None:
        """Let nothing through between `server` and the others in one direction: either it hears, or it is heard."""
        for link, connects in self._routes[server.name]:
            link.hang(requests=connects == hears, answers=connects != hears)

    def node_links(self, name: str) -> list[Link]:
        """The links between the node `name` and the servers."""
        return self._ways[name]

    def heal(self) -> None:
        """Let all be well again, the network and the servers, and wait until these have caught up and have leaders."""
        for route in [route for routes in self._routes.values() for route in routes]:
            route.link.heal()
        for link in [link for links in self._ways.values() for link in links]:
            link.heal()
        for server in self.cluster.nodes:
            if server.process is None:
                server.start()
        self.cluster.wait_until_ready()
        self.cluster.wait_until_well()
        for one in declared():
            self.cluster.leader(one.config()["name"])

    @asynccontextmanager
    async def journal(self, org: str) -> AsyncIterator[JetStreamJournal]:
        """The journal of `org`, by a way that is never cut."""
        async with jetstream(self.cluster) as connection:
            journal = await JetStreamJournal.open(connection, org, stream=STREAM)
            try:
                yield journal
            finally:
                await journal.close()

    async def add_org(self, name: str) -> str:
        """An org that all nodes serve when this returns. Returns: a token of it."""
        await self._fleet.found(**{name: f"http://{name}.example"})
        async with self.journal(name) as journal:
            registry = Registry(journal, self._folder / f"{name}.db")
            token = await registry.tokens.create("flood", Role.SUPER_ADMIN, deed=local_deed(0))
            await registry.close()
        for node in self.nodes.values():
            self._until_ready(node, name)
        return token

    def flood(self, org: str, token: str) -> Flood:
        """Requests to all nodes that run now, numbered in the order of their names."""
        return Flood([self.nodes[name].url for name in sorted(self.nodes)], org, token)

    def says(self, name: str, text: str) -> bool:
        """Whether that stands in the log of the node `name`."""
        return text in self.nodes[name].log.read_text()

    async def check(self, flood: Flood) -> None:
        """All that must be true after any fault, once all is well again."""
        entries = await self.entries(flood.org)
        check_journal(flood.answers, entries)
        check_windows(flood.answers, limit=LIMIT)
        for name, node in self.nodes.items():
            self._until_applied(node, flood.org, entries[-1].seq)
            assert self.is_indexed(name, flood.org, entries), f"the index of {name} is not what the journal says"

    async def entries(self, org: str) -> list[Entry]:
        """All of the journal of `org`."""
        async with self.journal(org) as journal:
            entries = list[Entry]()
            while batch := await journal.read(entries[-1].seq if entries else 0):
                entries += batch
            return entries

    def is_indexed(self, name: str, org: str, entries: list[Entry]) -> bool:
        """Whether the risk index of the node `name` holds what one made anew of `entries` does, byte by byte."""
        with TemporaryDirectory(dir=self._folder) as scratch:
            remade, index = RiskIndex(Path(scratch) / "index"), RiskIndex(self.data(name, org) / "index")
            remade.apply(entries)
            same = list(remade.dump()) == list(index.dump())
            index.close()
            remade.close()
        return same

    def _until_ready(self, node: OrgProcess, org: str) -> None:
        with node.client(None, host=f"{org}.example") as client:
            until(lambda: client.get("/readyz").status_code == 200, f"{org} is not served: {node.log.read_text()}")

    def _until_applied(self, node: OrgProcess, org: str, seq: int) -> None:
        with node.client(None, host=f"{org}.example") as client:

            def applied() -> bool:
                answer = client.get("/readyz")
                return answer.status_code == 200 and answer.json()["applied"] >= seq

            until(applied, f"the index is behind: {node.log.read_text()[-2000:]}")


@contextmanager
def faulty_fleet(folder: Path) -> Iterator[FaultyFleet]:
    """Servers that run; ends all that was started."""
    routes: dict[str, list[Route]] = {}
    with Network() as network:

        def reach(here: NatsNode, there: NatsNode) -> int:
            link = network.link(there.route_port)
            for server in (here, there):
                routes.setdefault(server.name, []).append(Route(link, server is here))
            return link.port

        with NatsCluster(folder / "nats", reach=reach) as cluster:
            fleet = FaultyFleet(folder, network, cluster, routes)
            try:
                yield fleet
            finally:
                for node in fleet.nodes.values():
                    node.kill()
