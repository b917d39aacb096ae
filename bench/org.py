"""How fast the org takes risk events in and tells about IPs, on a real `tocsin serve` over real connections.

Run `python bench/org.py`; takes about two minutes, and with `--held 10000000` about five more. Client processes and the
org share the machine, and requests are made before the clock starts, so what is measured is the org. Medians of the
rounds are printed.
"""

import argparse
import asyncio
import os
import platform
import random
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import crowdsec_peer
from load import CONNECTIONS, EVENTS, MAPPED, SUBJECTS, asker, held_ips, in_parallel, sender, until_applied
from support.org import OrgProcess
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.risk_index import RiskIndex

BENCH_PROVIDER = "rkpBench"


def main() -> None:
    """Print machine, versions and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=150, help="a connection and round, of 1,000 subjects each")
    parser.add_argument("--look-ups", type=int, default=3000, help="a connection")
    parser.add_argument("--held", type=int, default=1_000_000, help="IPs in the org that is measured at rest")
    chosen = parser.parse_args()
    parts = [f"{name} {version(name)}" for name in ("granian", "lmdb", "msgspec")]
    print(f"{os.cpu_count()} x {_cpu()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    print(", ".join(parts))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with OrgProcess(data, "--requests-per-minute", "1000000000") as org:
            token = org.token("bench")
            ours = take_in(org, token, chosen.rounds, chosen.requests)
            look_up(org, token, chosen.look_ups)
            org.stop()
    beside_the_peer(ours)
    with tempfile.TemporaryDirectory() as folder:
        at_rest(Path(folder) / "data", chosen.held)


def take_in(org: OrgProcess, token: str, rounds: int, requests: int) -> float:
    """Subjects/s until each is durable (202), and until all are in the index. Returns: the latter."""
    durable, indexed = [], []
    for number in range(rounds):
        started, ended, seqs = in_parallel(sender, [org.url], token, requests, number)
        until_applied(org.url, token, max(seqs))
        subjects = CONNECTIONS * requests * EVENTS * SUBJECTS
        durable.append(subjects / (ended - started))
        indexed.append(subjects / (time.monotonic() - started))
    print(f"taken in, durable: {statistics.median(durable):,.0f} subjects/s ({_rounds(durable)})")
    print(f"taken in, all in the index: {statistics.median(indexed):,.0f} subjects/s ({_rounds(indexed)})")
    return statistics.median(indexed)


def beside_the_peer(ours: float) -> None:
    """How many decisions a second the peer takes in, and how many times that ours is."""
    if not crowdsec_peer.installed():
        print(crowdsec_peer.MISSING)
        return
    with crowdsec_peer.running() as peer:
        theirs = peer.take_in([ip for ip in held_ips(50_000) if ":" not in ip])
    print(
        f"the peer (CrowdSec, SQLite, WAL) takes in: {theirs:,.0f} decisions/s; ours is {ours / theirs:.1f} times that"
    )


def look_up(org: OrgProcess, token: str, count: int) -> None:
    """GET /risk/v1/ips/{ip} a second, of IPs that are held and of others."""
    for name, held in (("hits", True), ("misses", False)):
        started, ended, _ = in_parallel(asker, [org.url], token, count, int(held))
        print(f"look-ups over HTTP, {name}: {CONNECTIONS * count / (ended - started):,.0f}/s")


def at_rest(data: Path, count: int) -> None:
    """What it costs to hold `count` random IPs: to take them in, on disk, in memory, to start, and to look one up."""
    journaled_s, indexed_s = asyncio.run(_hold(data, count))
    folder = DataFolder.open(data, create=False)
    index = RiskIndex(folder.index)
    held = len(index)
    print(
        f"{held:,} IPs held: journaled in {journaled_s:.1f} s, then indexed in {indexed_s:.1f} s, one after the other"
    )
    print(f"on disk, bytes an IP: {_stored(folder.index / 'data.mdb') / held:.0f} in the index", end=", ")
    print(f"{_stored(folder.journal) / held:.0f} in the journal for as long as that keeps it")
    keys = [MAPPED + ip for ip in islice(_random_ips(count), 0, None, max(count // 100_000, 1))]
    before = _memory_mib(os.getpid())
    started = time.perf_counter()
    for key in keys:
        index.look_up(key)
    each_us = (time.perf_counter() - started) / len(keys) * 1e6
    print(
        f"look-up in the process, {len(keys):,} over all of it: {each_us:.1f} us; memory before {before}, after ",
        end="",
    )
    print(_memory_mib(os.getpid()))
    started = time.perf_counter()
    place: bytes | None = b""
    while place is not None:
        place = index.sweep(place, until_ms=0, providers=[BENCH_PROVIDER], limit=2048)
    print(f"a walk over all of it that finds nothing expired: {time.perf_counter() - started:.1f} s of one core")
    index.close()
    started = time.perf_counter()
    with OrgProcess(data) as org:
        print(f"start of the org until it is ready: {time.perf_counter() - started:.2f} s", end="; memory then ")
        print(_memory_mib(org.pid))
        org.stop()


async def _hold(data: Path, count: int) -> tuple[float, float]:
    """Take in `count` random IPs, without HTTP. Returns: seconds until they were journaled, and then indexed."""
    async with open_org(DataFolder.open(data)) as org:
        started, ips = time.perf_counter(), _random_ips(count)
        while batch := [request for _ in range(64) if (request := b"".join(islice(ips, EVENTS * SUBJECTS)))]:
            await asyncio.gather(*(org.journal.append(risk_topic(BENCH_PROVIDER), _record(ips)) for ips in batch))
        journaled = time.perf_counter()
        await org.projector.catch_up()
        return journaled - started, time.perf_counter() - journaled


def _record(ips: bytes) -> bytes:
    size = 4 * SUBJECTS
    parts = [ips[start : start + size] for start in range(0, len(ips), size)]
    events = [
        ConsumedEvent(None, None, b"".join(MAPPED + ip for (ip,) in struct.iter_unpack("4s", part)), b"\3" * n, None)
        for part in parts
        if (n := len(part) // 4)
    ]
    return encode_record(RiskEventsConsumed(local_deed(int(time.time() * 1000)), BENCH_PROVIDER, events))


def _random_ips(count: int) -> Iterator[bytes]:
    dice = random.Random(1)
    return (dice.randbytes(4) for _ in range(count))


def _stored(path: Path) -> int:
    return path.stat().st_blocks * 512


def _memory_mib(pid: int) -> str:
    """What is the process' own, and what is the system's cache of files that it has mapped."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    own, mapped = (int(fields[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile"))
    return f"{own} MiB own + {mapped} MiB of mapped files"


def _rounds(values: list[float]) -> str:
    return " ".join(f"{value:,.0f}" for value in values)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
