"""Faults of a whole fleet under load: three real servers, two real nodes, requests to both.

After each: every 202 is in the journal exactly once, the risk indexes of all nodes are what the journal says, and no
window gave more than its limit. TOCSIN_SOAK_ROUNDS=N plays each fault N times; two that are much like others are played
only then.
"""

import asyncio
import os
import random
import re
import resource
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import count
from pathlib import Path
from uuid import uuid4

import lmdb
import msgspec
import pytest

from support.faulty_fleet import FaultyFleet, faulty_fleet
from support.flood import Flood
from support.nats_cluster import NatsNode, until
from support.process import tocsin
from support.wrong_clock import IS_POSSIBLE, set_clock_off
from tocsin.org.records import risk_record

pytestmark = pytest.mark.slow
ROUNDS = range(int(os.environ.get("TOCSIN_SOAK_ROUNDS", "1")))
RARELY = range(int(os.environ.get("TOCSIN_SOAK_ROUNDS", "0")))
SETTLED_S = 1.0
"""What was acknowledged before a fault is answered within that."""
DEAF_S = 30.0
"""A leader that is heard but hears nothing leads on for most of that; then elections follow on each other."""
_FULL_AT_BYTES = 32 * 1024
names = (f"org-{number}" for number in count(1))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyFleet]:
    """Two nodes on three servers; each test leaves them well."""
    with faulty_fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        asyncio.run(fleet.found())
        fleet.start("one")
        fleet.start("two")
        yield fleet


@asynccontextmanager
async def under_load(fleet: FaultyFleet) -> AsyncIterator[Flood]:
    """A flood at an org of its own; at the end all is made well, and all is checked."""
    org = next(names)
    token = await fleet.add_org(org)
    with fleet.flood(org, token) as flood:
        goes_on(flood)
        try:
            yield flood
        finally:
            fleet.heal()
        goes_on(flood)
        flood.use_up()
    await fleet.check(flood)


def goes_on(flood: Flood, *nodes: int) -> None:
    """Wait until more requests are accepted by these nodes, by all if none is named."""
    since = time.monotonic()
    for node in nodes or flood.nodes:
        until(partial(flood.has_accepted, 3, node=node, since=since), f"node {node} accepts nothing")


def stays_out(flood: Flood, *nodes: int) -> None:
    """Wait until these nodes refuse for want of the journal, and see that they accept nothing from then on."""
    time.sleep(SETTLED_S)
    since = time.monotonic()
    for node in nodes:
        refused = until(partial(flood.refused, 503, node=node, since=since), "nothing is refused")
        assert re.search(
            "journal does not answer|No quorum of the servers that keep this org's journal", refused[-1].why
        )
        assert flood.decides(node), "no decision from what is known here"
        assert flood.accepted(node=node, since=since) == []


@pytest.mark.parametrize("_", ROUNDS)
async def test_the_leader_is_killed(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        fleet.leader.kill()
        goes_on(flood)


@pytest.mark.parametrize("_", ROUNDS)
async def test_a_follower_is_killed(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        fleet.follower.kill()
        goes_on(flood)


@pytest.mark.parametrize("_", ROUNDS)
async def test_two_of_three_are_killed(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for server in random.sample(fleet.cluster.nodes, 2):
            server.kill()
        stays_out(flood, 0, 1)


@pytest.mark.parametrize("_", ROUNDS)
async def test_the_leader_is_cut_off_from_the_other_servers(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for link in fleet.server_links(fleet.leader):
            link.hang()
        goes_on(flood)


@pytest.mark.parametrize("_", RARELY)
async def test_a_follower_is_cut_off_from_the_other_servers(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for link in fleet.server_links(fleet.follower):
            link.cut()
        goes_on(flood)


@pytest.mark.parametrize("_", RARELY)
@pytest.mark.parametrize("hears", [True, False])
async def test_the_leader_is_cut_off_from_the_other_servers_in_one_direction(
    fleet: FaultyFleet, hears: bool, _: int
) -> None:
    async with under_load(fleet) as flood:
        fleet.hang_one_way(fleet.leader, hears=hears)
        if hears:
            goes_on(flood)
        else:
            await asyncio.sleep(DEAF_S)


@pytest.mark.parametrize("_", RARELY)
async def test_a_node_hears_no_answers(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for link in fleet.node_links("one"):
            link.hang(requests=False)
        stays_out(flood, 0)
        goes_on(flood, 1)


@pytest.mark.parametrize("_", ROUNDS)
async def test_a_node_is_cut_off_from_all_servers(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for link in fleet.node_links("one"):
            link.hang()
        stays_out(flood, 0)
        goes_on(flood, 1)


@pytest.mark.parametrize("_", ROUNDS)
async def test_a_disk_is_slow(fleet: FaultyFleet, _: int) -> None:
    """As one is whose server stands still nine tenths of the time, first as a leader's, then as a follower's."""
    async with under_load(fleet) as flood:
        for server in (fleet.leader, fleet.follower):
            stutter(server)
            goes_on(flood)


@pytest.mark.parametrize("_", ROUNDS)
async def test_a_disk_is_full(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        leader = fleet.leader
        fill_disk(leader)
        goes_on(flood)
        leader.kill()  # it does not find by itself that there is room again


@pytest.mark.parametrize("_", RARELY)
async def test_all_disks_are_full(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        for server in fleet.cluster.nodes:
            fill_disk(server)
        stays_out(flood, 0, 1)
        for server in fleet.cluster.nodes:
            server.kill()


@pytest.mark.parametrize("_", ROUNDS)
async def test_a_server_comes_back_with_an_empty_folder(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        server = fleet.follower
        server.kill()
        server.empty()
        goes_on(flood)


@pytest.mark.parametrize("_", ROUNDS)
async def test_the_clock_of_a_node_is_wrong(fleet: FaultyFleet, _: int) -> None:
    before_ms = time.time() * 1000
    fleet.start("three", clock_off_s=random.choice((-300, 300)))
    try:
        async with under_load(fleet) as flood:
            goes_on(flood)
        for entry in await fleet.entries(flood.org):
            if (record := risk_record(entry)) is not None:
                assert before_ms - 1000 < record.deed.at_ms < time.time() * 1000 + 1000
    finally:
        fleet.end("three")


@pytest.mark.parametrize("_", RARELY)
@pytest.mark.parametrize("off_s", [300, -300])
@pytest.mark.skipif(not IS_POSSIBLE, reason="how a clock is set wrong is known for Linux on x86-64 alone")
async def test_the_clock_of_the_leader_is_wrong(fleet: FaultyFleet, off_s: int, _: int) -> None:
    """While it leads, then when another one does; deeds and windows follow slowly."""
    wrong, before_s = fleet.leader, time.time()
    assert wrong.process is not None
    set_clock_off(wrong.process.pid, off_s)
    try:
        async with under_load(fleet) as flood:
            goes_on(flood)
            wrong.pause()
            goes_on(flood)
            wrong.resume()
        for entry in await fleet.entries(flood.org):
            if (record := risk_record(entry)) is not None:
                assert before_s - 30 < record.deed.at_ms / 1000 < time.time() + 30
    finally:
        wrong.kill()
        fleet.heal()
        for name in list(fleet.nodes):  # it would take them minutes to come back to the time that the others have
            fleet.stop(name)
            fleet.start(name)


@pytest.mark.parametrize("_", ROUNDS)
async def test_projections_of_a_node_are_damaged(fleet: FaultyFleet, _: int) -> None:
    async with under_load(fleet) as flood:
        fleet.end("two")
        folder = fleet.data("two", flood.org)
        flip_bits(folder / "index")
        (folder / "directory.db").write_bytes(random.randbytes(4096))
        fleet.start("two")
        until(lambda: fleet.says("two", "it is made again"), "nobody notices that the directory is damaged")
        fleet.stop("two")
        # What stands in a page of LMDB is believed: only a comparison finds it.
        assert not fleet.is_indexed("two", flood.org, await fleet.entries(flood.org))
        rebuilt = tocsin("rebuild", "--data", str(fleet.data("two")), "--org", flood.org)
        assert rebuilt.returncode == 0, rebuilt.stderr
        fleet.start("two")


def flip_bits(index: Path) -> None:
    """Flip one in what is held about each IP."""
    with lmdb.open(str(index), max_dbs=3) as env, env.begin(write=True) as txn:
        ips = env.open_db(b"ips", txn=txn)
        for key, held in list(txn.cursor(db=ips)):
            txn.put(key, held[:8] + bytes([held[8] ^ 1]) + held[9:], db=ips)


@pytest.mark.parametrize("_", ROUNDS)
async def test_nodes_are_upgraded_one_after_another(fleet: FaultyFleet, _: int) -> None:
    """From a version whose projections had another layout, and whose records lack a field, to one that adds one."""
    async with under_load(fleet) as flood:
        for name, other in (("two", 0), ("one", 1)):
            fleet.stop(name)
            make_older(fleet.data(name, flood.org))
            goes_on(flood, other)
            await append_of_other_versions(fleet, flood)
            fleet.start(name)
            goes_on(flood)


def make_older(folder: Path) -> None:
    """Mark all projections as ones of an older layout."""
    for file in ("directory.db", "feed.db", "log.db"):
        with closing(sqlite3.connect(folder / file)) as db:
            db.execute("PRAGMA user_version = 999")
    with lmdb.open(str(folder / "index"), max_dbs=3) as index, index.begin(write=True) as txn:
        txn.put(b"layout", b"0", db=index.open_db(b"meta", txn=txn))


async def append_of_other_versions(fleet: FaultyFleet, flood: Flood) -> None:
    """Append a record as it was before a field was added, and one with a field that is not there yet."""
    entry = [entry for entry in await fleet.entries(flood.org) if risk_record(entry) is not None][-1]
    record = msgspec.msgpack.decode(entry.body)
    events, deed = record["events"], record["deed"]
    older = {"deed": deed[:2], "events": [[*event[:4], [f"older-{uuid4().hex}"] * 3] for event in events]}
    newer = {
        "deed": [*deed, "more"],
        "events": [[*event[:4], [f"newer-{uuid4().hex}"] * 3, "more"] for event in events],
        "more": "more",
    }
    async with fleet.journal(flood.org) as journal:
        for changed in (older, newer):
            await journal.append(entry.topic, msgspec.msgpack.encode(record | changed))


def stutter(server: NatsNode) -> None:
    """Let it stand still most of the time for a while, as behind a disk that does."""
    for _ in range(8):
        server.pause()
        time.sleep(0.18)
        server.resume()
        time.sleep(0.02)


def fill_disk(server: NatsNode) -> None:
    """From now on no file of `server` grows."""
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (_FULL_AT_BYTES, _FULL_AT_BYTES))
