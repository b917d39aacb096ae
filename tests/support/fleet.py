"""A fleet of the test's own: streams and buckets on a real cluster, registered orgs, nodes in processes."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from socket import socket
from time import monotonic, sleep

import httpx2

from support.jetstream import jetstream
from support.nats_cluster import BINARY, SOON_S, NatsCluster, held_port
from support.org import OrgProcess
from tocsin.journal.jetstream.declared import make
from tocsin.journal.jetstream.key_value import JetStreamKeyValue
from tocsin.org.fleet.declared import ORGS_BUCKET, declared
from tocsin.org.fleet.registered import Registered
from tocsin.org.fleet.secret import FleetSecret

_ROUTES_ABOVE = 2000
_ASK_AGAIN_S = 0.2


@contextmanager
def started(folder: Path, which: str = "n?") -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The servers whose configs `tocsin fleet init` wrote into `folder`, by name."""
    running = {}
    try:
        for place in sorted(folder.glob(which)):
            running[place.name] = start(place)
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def start(place: Path) -> subprocess.Popen[bytes]:
    """One of them."""
    with (place / "log").open("ab") as log:
        return subprocess.Popen([BINARY, "-c", "server.conf"], cwd=place, stdout=log, stderr=log)


class TestFleet:
    """What its nodes are told, in `folder`."""

    __test__ = False

    def __init__(self, folder: Path, cluster: NatsCluster) -> None:
        self.folder, self.cluster = folder, cluster
        self.servers = "nats://" + ",".join(url.removeprefix("nats://") for url in cluster.urls)
        self.secret_file, self.config = folder / "fleet.secret", folder / "fleet.toml"
        folder.mkdir(exist_ok=True)

    async def found(self, **urls: str) -> None:
        """Make what a fleet needs, and register an org for each name and URL."""
        if not self.secret_file.exists():
            self.secret_file.write_text(FleetSecret.new_text())
        self.config.write_text(f'[journal]\nsecret_file = "{self.secret_file}"\n')
        async with jetstream(self.cluster) as connection:
            await make(connection, declared())
        async with registered(self.cluster) as orgs:
            await orgs.found(FleetSecret.read(self.secret_file))
            for name, url in urls.items():
                await orgs.add(name, url, at_ms=1)

    def node(self, name: str, *arguments: str) -> OrgProcess:
        """A node, ready."""
        return OrgProcess(self.folder / name, "--journal", self.servers, "--config", str(self.config), *arguments)


class Patient(httpx2.HTTPTransport):
    """Asks again for a while where the answer is 503: on a busy machine a node soon takes its cluster for lost."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        end = monotonic() + SOON_S
        while (answer := super().handle_request(request)).status_code == 503 and monotonic() < end:
            answer.close()
            sleep(_ASK_AGAIN_S)
        return answer


def patient(node: OrgProcess, token: str) -> httpx2.Client:
    """A client of a node that shows `token`."""
    headers = {"authorization": f"SSWS {token}"}
    return httpx2.Client(base_url=node.url, headers=headers, timeout=SOON_S, transport=Patient())


def warned(node: OrgProcess) -> list[str]:
    """The lines of its log, but for those about a cluster that did not answer in time, as on a busy machine."""
    lines = node.log.read_text().splitlines()
    return [line for line in lines if not ("does not answer" in line or "quorum" in line)]


async def add_org(cluster: NatsCluster, name: str, url: str) -> None:
    """Register one more."""
    async with registered(cluster) as orgs:
        await orgs.add(name, url, at_ms=2)


async def remove_org(cluster: NatsCluster, name: str) -> None:
    """Forget one."""
    async with registered(cluster) as orgs:
        await orgs.remove(name)


@asynccontextmanager
async def registered(cluster: NatsCluster) -> AsyncIterator[Registered]:
    async with jetstream(cluster) as connection:
        table = await JetStreamKeyValue.open(connection, ORGS_BUCKET)
        yield Registered(table)
        await table.close()


def server_ports() -> list[int]:
    """Three free ones, with those for the routes between the servers."""
    found: list[int] = []
    while len(found) < 3:
        with held_port() as port, socket() as route:
            try:
                route.bind(("127.0.0.1", port + _ROUTES_ABOVE))
            except (OSError, OverflowError):
                continue
            if port not in found:
                found.append(port)
    return found
