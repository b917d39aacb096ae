"""How fast the org takes risk events in and tells about IPs, on a real `tocsin serve` over real connections.

Run `python bench/org.py`; takes about two minutes, and with `--held 10000000` about five more. Client processes and the
org share the machine, and requests are made before the clock starts, so what is measured is the org. Medians of the
rounds are printed.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import chain, islice
from multiprocessing.synchronize import Barrier
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import crowdsec_peer
from support.org import OrgProcess
from tocsin.org.folder import DataFolder
from tocsin.org.org import open_org
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.risk_index import RiskIndex
from tocsin.signals import ip_text

CONNECTIONS = 4
EVENTS, SUBJECTS = 20, 50
BENCH_PROVIDER = "rkpBench"
MAPPED = bytes(10) + b"\xff\xff"


def main() -> None:
    """Print machine, versions and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=150, help="a connection and round, of 1,000 subjects each")
    parser.add_argument("--look-ups", type=int, default=3000, help="a connection")
    parser.add_argument("--held", type=int, default=1_000_000, help="IPs in the org that is measured at rest")
    chosen = parser.parse_args()
    parts = [f"{name} {version(name)}" for name in ("granian", "lmdb", "litestar", "msgspec")]
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
        started, ended, seqs = _in_parallel(_sender, org.url, token, requests, number)
        _get(org.url, token, f"/risk/v1/ips/192.0.2.1?after={max(seqs)}")
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
        theirs = peer.take_in([ip for ip in _held_ips(50_000) if ":" not in ip])
    print(
        f"the peer (CrowdSec, SQLite, WAL) takes in: {theirs:,.0f} decisions/s; ours is {ours / theirs:.1f} times that"
    )


def look_up(org: OrgProcess, token: str, count: int) -> None:
    """GET /risk/v1/ips/{ip} a second, of IPs that are held and of others."""
    for name, held in (("hits", True), ("misses", False)):
        started, ended, _ = _in_parallel(_asker, org.url, token, count, int(held))
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


def _in_parallel(
    work: Callable[[str, str, int, int, Barrier], list[int]], url: str, token: str, count: int, variant: int
) -> tuple[float, float, list[int]]:
    """When all started and ended, and what they returned. Each in its own process, not to be the limit itself."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(CONNECTIONS + 1)
    with context.Pool(CONNECTIONS, initializer=_share, initargs=(barrier,)) as pool:
        tasks = [(work, url, token, count, variant * CONNECTIONS + number) for number in range(CONNECTIONS)]
        results = pool.starmap_async(_work, tasks, chunksize=1)
        barrier.wait(timeout=300)
        started = time.monotonic()
        returned = results.get(timeout=600)
        return started, time.monotonic(), [value for values in returned for value in values]


_barrier: Barrier


def _share(barrier: Barrier) -> None:
    global _barrier  # the one way to hand a barrier to a pool
    _barrier = barrier


def _work(
    work: Callable[[str, str, int, int, Barrier], list[int]], url: str, token: str, count: int, seed: int
) -> list[int]:
    return work(url, token, count, seed, _barrier)


def _sender(url: str, token: str, count: int, seed: int, barrier: Barrier) -> list[int]:
    bodies = [_body(seed * count + number) for number in range(count)]
    head = f"POST /api/v1/risk/events/ip HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n"
    requests = [
        f"{head}Content-Type: application/json\r\nContent-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies
    ]
    answers = _exchange(url, requests, barrier)
    return [_seq(answer) for answer in answers]


def _asker(url: str, token: str, count: int, seed: int, barrier: Barrier) -> list[int]:
    held = seed >= CONNECTIONS
    ips = _held_ips(count) if held else (f"2001:db8::{n:x}" for n in range(count))
    tail = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n\r\n"
    answers = list(_exchange(url, [f"GET /risk/v1/ips/{ip}{tail}".encode() for ip in ips], barrier))
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert all((b'"level":null' not in answer) is held for answer in answers)
    return []


def _exchange(url: str, requests: list[bytes], barrier: Barrier) -> Iterator[bytes]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        barrier.wait(timeout=300)
        for request in requests:
            connection.sendall(request)
            yield _answer(connection)


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def _seq(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 202"), answer
    return int(answer.partition(b"x-tocsin-journal-seq: ")[2].split(b"\r\n")[0])


def _body(seed: int) -> bytes:
    ips = _ips(random.Random(seed), EVENTS * SUBJECTS)
    return json.dumps([_event(ips) for _ in range(EVENTS)]).encode()


def _event(ips: Iterator[str]) -> dict[str, object]:
    subjects = [{"ip": next(ips), "riskLevel": "HIGH", "message": "seen on 3 lists. Score 7"} for _ in range(SUBJECTS)]
    return {"timestamp": "2026-02-03T09:15:00.000Z", "subjects": subjects}


def _ips(dice: random.Random, count: int) -> Iterator[str]:
    """Random IPv4 addresses; the same dice give the same ones."""
    for _ in range(count):
        yield ip_text(MAPPED + dice.randbytes(4))


def _held_ips(count: int) -> Iterator[str]:
    """IPs of the first requests that were sent."""
    of_requests = (_ips(random.Random(seed), EVENTS * SUBJECTS) for seed in range(count))
    return islice(chain.from_iterable(of_requests), count)


def _get(url: str, token: str, path: str) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n\r\n".encode())
        assert _answer(connection).startswith(b"HTTP/1.1 200")


def _rounds(values: list[float]) -> str:
    return " ".join(f"{value:,.0f}" for value in values)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
