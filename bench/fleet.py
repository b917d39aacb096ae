"""How fast a fleet is beside one org on one machine: nodes, servers and clients share this one.

Run `python bench/fleet.py`; takes about three minutes, `--quick` a third of that. What counts are the ratios to the
embedded default in the same run: on machines of their own nodes and servers do not take each other's time.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from load import CONNECTIONS, EVENTS, SUBJECTS, asker, in_parallel, sender, until_applied
from support.fleet import TestFleet
from support.flood import Flood
from support.jetstream import STREAM, jetstream
from support.nats_cluster import BINARY, NatsCluster, until
from support.org import OrgProcess
from tocsin.journal import Entry, Journal
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.journal.jetstream.declared import make
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.risk_index import RiskIndex

NODES = (1, 2, 4)
UNLIMITED = ("--requests-per-minute", "1000000000")
ONE_BY_ONE = ("--requests-per-minute", "1000")
ONE_ORG, OTHER_ORG = ("--org", "bench"), ("--org", "other")
"""With one org a node serves that, whatever a request's Host says."""
AT_ONCE, COSTED = 32, 100
FULL, SMALL = 42_300, 200
"""Bytes of a record with 1,000 subjects that have a message, and of one with one."""
PER_REQUEST = EVENTS * SUBJECTS


class Measured(NamedTuple):
    """What one set of nodes does."""

    durable: float
    """Subjects/s until each is answered with 202."""
    indexed: float
    """Subjects/s until all are in the index of every node."""
    look_ups: float
    """Of IPs that are held, a second."""


def main() -> None:
    """Print machine, versions and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer requests and rounds")
    quick = parser.parse_args().quick
    requests, looks, rounds = (40, 400, 2) if quick else (150, 1500, 5)
    server = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    print(f"{os.cpu_count()} x {_cpu()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    print(f"nats-server {server}, nats-py {version('nats-py')}; load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        embedded = measure_embedded(place / "embedded", requests, looks)
        with NatsCluster(place / "nats") as cluster:
            fleet = TestFleet(place / "fleet", cluster)
            asyncio.run(fleet.found(bench="http://bench", other="http://other"))
            for count in NODES:
                with started(fleet, count, (*UNLIMITED, *ONE_ORG)) as nodes:
                    tell(f"{count} nodes", measure(nodes, requests, looks, *ONE_ORG), embedded)
            for count in (1, 2):
                costs(fleet, cluster, count)
            catch_up(fleet)
            fail_over(fleet, cluster, rounds)
        asyncio.run(acknowledgements(place, 100 if quick else 1000))


def measure_embedded(data: Path, requests: int, looks: int) -> Measured:
    """The embedded default: one org, its journal in a file."""
    with OrgProcess(data, *UNLIMITED) as org:
        measured = measure([org], requests, looks)
    tell("embedded", measured, measured)
    return measured


@contextmanager
def started(fleet: TestFleet, count: int, arguments: Sequence[str]) -> Iterator[list[OrgProcess]]:
    """The first `count` nodes, which have caught up."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(fleet.node(f"node-{n}", *arguments)) for n in range(count)]
        for node in nodes:
            _until_ready(node)
        yield nodes


def measure(nodes: list[OrgProcess], requests: int, looks: int, *org: str) -> Measured:
    """All connections spread over `nodes`; `org` says of which org a token is made."""
    token, urls = nodes[0].token(f"bench-{time.monotonic_ns()}", *org), [node.url for node in nodes]
    begun, ended, seqs = in_parallel(sender, urls, token, requests, 0)
    for url in urls:
        until_applied(url, token, max(seqs))
    indexed = time.monotonic()
    subjects = CONNECTIONS * requests * PER_REQUEST
    asked, told, _ = in_parallel(asker, urls, token, looks, 1)
    return Measured(subjects / (ended - begun), subjects / (indexed - begun), CONNECTIONS * looks / (told - asked))


def tell(who: str, measured: Measured, embedded: Measured) -> None:
    """One line: figures, and the ratio of each to the embedded default."""
    parts = (
        f"{name} {value:,.0f}/s ({value / beside:.2f} x)"
        for name, value, beside in zip(measured._fields, measured, embedded, strict=True)
    )
    print(f"{who}: {'; '.join(parts)}; load {os.getloadavg()[0]:.1f}")


def costs(fleet: TestFleet, cluster: NatsCluster, count: int) -> None:
    """CPU time of a full request, each counted one by one in its window as under the documented limits."""
    with started(fleet, count, (*ONE_BY_ONE, *OTHER_ORG)) as nodes:
        token, urls = nodes[0].token(f"costs-{count}", *OTHER_ORG), [node.url for node in nodes]
        parts = {
            "fronts": [node.pid for node in nodes],
            "workers": [pid for node in nodes for pid in _children(node.pid)],
            "the three servers": [server.process.pid for server in cluster.nodes if server.process is not None],
        }
        before = {name: _cpu_s(pids) for name, pids in parts.items()}
        begun, ended, seqs = in_parallel(sender, urls, token, COSTED, 1 + count)
        for url in urls:
            until_applied(url, token, max(seqs))
        used = (f"{name} {(_cpu_s(pids) - before[name]) / len(seqs) * 1e3:.2f} ms" for name, pids in parts.items())
        print(f"CPU of a request of {PER_REQUEST:,}, {count} nodes: {', '.join(used)}", end="; ")
        print(f"{len(seqs) / (ended - begun):,.0f} requests/s")


def catch_up(fleet: TestFleet) -> None:
    """A node with an empty folder, from its start until its index has all."""
    begun = time.monotonic()
    with fleet.node("late", *UNLIMITED, *ONE_ORG) as node:
        started = time.monotonic()
        _until_ready(node)
        whole = time.monotonic()
    entries, subjects, read_s, apply_s = asyncio.run(_read_all(fleet.cluster))
    print(f"a new node: {entries:,} entries, {subjects:,} subjects in {whole - begun:.1f} s", end="")
    print(f" ({started - begun:.1f} s of them until it listens): {entries / (whole - begun):,.0f} entries/s", end=", ")
    print(f"{subjects / (whole - begun):,.0f} subjects/s")
    print(
        f"of it: reading {entries / read_s:,.0f} entries/s, applying to the index {subjects / apply_s:,.0f} subjects/s"
    )


async def _read_all(cluster: NatsCluster) -> tuple[int, int, float, float]:
    async with jetstream(cluster) as connection:
        journal, entries, begun = await JetStreamJournal.open(connection, "bench"), list[Entry](), time.perf_counter()
        while batch := await journal.read(entries[-1].seq if entries else 0):
            entries += batch
        read_s = time.perf_counter() - begun
        await journal.close()
    with tempfile.TemporaryDirectory() as scratch:
        index, begun = RiskIndex(Path(scratch) / "index"), time.perf_counter()
        index.apply(entries)
        apply_s = time.perf_counter() - begun
        index.close()
    risk = sum(entry.topic.startswith("risk.") for entry in entries)
    return len(entries), risk * PER_REQUEST, read_s, apply_s


def fail_over(fleet: TestFleet, cluster: NatsCluster, rounds: int) -> None:
    """SIGKILL the leader under load: the longest time in which no node accepts anything."""
    with started(fleet, 2, (*UNLIMITED, *ONE_ORG)) as nodes:
        token = nodes[0].token("fail-over", *ONE_ORG)
        gaps = [_gap(Flood([node.url for node in nodes], "bench", token), cluster) for _ in range(rounds)]
    print(f"the leader is killed: nothing is accepted for {statistics.median(gaps):.1f} s", end=" ")
    print(f"({' '.join(f'{gap:.1f}' for gap in sorted(gaps))})")


def _gap(flood: Flood, cluster: NatsCluster) -> float:
    with flood:
        until(lambda: len(flood.accepted()) > 20, "nothing is accepted")
        leader = cluster.leader(STREAM.name)
        killed = time.monotonic()
        leader.kill()
        until(lambda: len(flood.accepted(since=killed + 1)) > 20, "nothing is accepted again")
    leader.start()
    cluster.wait_until_ready()
    cluster.wait_until_well()
    return max(after - before for before, after in pairwise(sorted(answer.at_s for answer in flood.accepted())))


async def acknowledgements(folder: Path, count: int) -> None:
    """How long one append after the other takes: a file, one server, a quorum of three."""
    journal: Journal = await SqliteJournal.open(folder / "acks.db")
    await _acknowledged("SQLite", journal, count)
    await journal.close()
    for size, replicas in ((1, 1), (3, 3)):
        with NatsCluster(folder / f"r{replicas}", size=size) as cluster:
            async with jetstream(cluster) as connection:
                await make(connection, [replace(STREAM, replicas=replicas)])
                journal = await JetStreamJournal.open(connection, "bench")
                await _acknowledged(f"R{replicas}", journal, count)
                await journal.close()


async def _acknowledged(who: str, journal: Journal, count: int) -> None:
    for size in (SMALL, FULL):
        took = []
        for _ in range(count):
            begun = time.perf_counter()
            await journal.append("risk.bench", bytes(size))
            took.append((time.perf_counter() - begun) * 1e3)
        p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
        begun = time.perf_counter()
        await asyncio.gather(*(_append_all(journal, size, count // 4) for _ in range(AT_ONCE)))
        at_once = AT_ONCE * (count // 4) / (time.perf_counter() - begun)
        print(f"acknowledged, {who}, {size:,} bytes: p50 {p50:.2f} ms, p99 {p99:.2f} ms", end="")
        print(f"; with {AT_ONCE} at once {at_once:,.0f}/s")


async def _append_all(journal: Journal, size: int, count: int) -> None:
    for _ in range(count):
        await journal.append("risk.bench", bytes(size))


def _until_ready(node: OrgProcess) -> None:
    with node.client(None) as client:

        def caught_up() -> bool:
            standing = client.get("/readyz").json()
            return bool(standing["ready"]) and standing["applied"] >= standing["last"]

        until(caught_up, "a node does not catch up", 120)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _cpu_s(pids: Sequence[int]) -> float:
    """User and system time that these processes have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(user) + int(system) for user, system in ((f[11], f[12]) for f in fields)) / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
