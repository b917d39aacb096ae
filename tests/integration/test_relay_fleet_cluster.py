"""Real relay workers over a real cluster: killed, stopped with SIGSTOP, told to end; many targets over its tables."""

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.faulty_org import FaultyOrg, Handler, faulty_org
from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from support.process import tocsin
from support.relay_fleet import Quiet
from support.relay_process import RelayProcess, write_list
from tocsin.journal.jetstream import JetStreamKeyValue, JetStreamSettings
from tocsin.journal.jetstream.declared import make
from tocsin.relay.fleet import FleetConfig, Holding, Worker
from tocsin.relay.fleet.assignment import owner_of
from tocsin.relay.fleet.declared import OWNERS_BUCKET, WORKERS_BUCKET, declared
from tocsin.relay.fleet.membership import owned, present
from tocsin.relay.fleet.opening import open_detector, open_stores
from tocsin.relay.fleet.who import Who, who_has_what
from tocsin.signals import RiskLevel, Signal

pytestmark = pytest.mark.slow
FLEET = FleetConfig(lease_s=3)
IPS = {f"8.8.8.{n}": "HIGH" for n in range(1, 9)}
SEEN_WITHIN_S = 30.0
TARGET = "target.acme"


@pytest.fixture
async def cluster(nats_cluster: NatsCluster) -> AsyncIterator[NatsCluster]:
    """With the streams and buckets of a fleet, empty."""
    async with jetstream(nats_cluster) as connection:
        await make(connection, declared(FLEET.lease_s))
        yield nats_cluster
        for one in declared(FLEET.lease_s):
            await connection.api(f"STREAM.DELETE.{one.config()['name']}")


class _Workers:
    """Worker processes that serve one target, `acme`, and read one list."""

    def __init__(self, folder: Path, cluster: NatsCluster, org: FaultyOrg) -> None:
        self._folder, self._cluster, self._org = folder, cluster, org
        self.list = folder / "list.txt"
        self.running: dict[str, RelayProcess] = {}
        (folder / "token").write_text("s3cret")

    def start(self, *names: str) -> None:
        for name in names:
            self.running[name] = RelayProcess(self.config(name))

    def config(self, name: str) -> Path:
        servers = ", ".join(f'"{url}"' for url in self._cluster.urls)
        (self._folder / name).mkdir(exist_ok=True)
        path = self._folder / name / "relay.toml"
        path.write_text(
            f'state = "state"\n[journal]\nservers = [{servers}]\n[fleet]\nlease_s = {FLEET.lease_s}\n'
            f'[targets.acme]\nurl = "{self._org.url}"\ntoken_file = "../token"\n'
            f'[sources.list]\npath = "{self.list}"\nevery_s = 1\nformat = "ipsum"\n'
        )
        return path

    def status(self, name: str) -> dict[str, Any]:
        told = tocsin("relay", "status", "--config", str(self.config(name)), "--json")
        assert told.returncode == 0, told.stderr
        found: dict[str, Any] = msgspec.json.decode(told.stdout)
        return found

    def lost_a_lease(self) -> bool:
        return any("worker.lease_ended" in log.read_text() for log in self._folder.glob("*/relay.log"))

    def owner(self) -> str:
        """Who has the target now, by the name of its process; empty for nobody who is there."""
        names = {(self._folder / name / "state" / "worker").read_text().strip(): name for name in self.running}
        held = asyncio.run(self._who()).workers
        return next((names.get(worker, worker) for worker, items in held.items() if TARGET in items), "")

    def has_settled(self) -> bool:
        """Whether all that run are there, and the target is with who shall have it."""
        held = asyncio.run(self._who()).workers
        return len(held) == len(self.running) and TARGET in held[owner_of(TARGET, held) or ""]

    async def _who(self) -> Who:
        async with jetstream(self._cluster) as connection:
            workers, owners = [
                await JetStreamKeyValue.open(connection, name) for name in (WORKERS_BUCKET, OWNERS_BUCKET)
            ]
            found = who_has_what(await workers.all(), await owners.all())
            await workers.close()
            await owners.close()
            return found

    def log(self) -> str:
        return "\n".join(one.log.read_text() for one in self.running.values())


@contextmanager
def _workers(
    folder: Path, cluster: NatsCluster, *faults: Callable[[Handler], None]
) -> Iterator[tuple[_Workers, FaultyOrg]]:
    with faulty_org(*faults) as org:
        workers = _Workers(folder, cluster, org)
        write_list(workers.list, IPS, at=datetime.now(UTC))
        try:
            yield workers, org
        finally:
            for one in workers.running.values():
                one.kill()


def _until(holds: Callable[[], object], workers: _Workers) -> None:
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, workers.log()
        time.sleep(0.05)


def _never_answer(handler: Handler) -> None:
    time.sleep(1.5 * SEEN_WITHIN_S)


async def test_when_a_worker_is_killed_in_a_request_another_repeats_that_one_and_goes_on(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    def main() -> None:
        with _workers(tmp_path, cluster, _never_answer) as (workers, org):
            workers.start("w1", "w2")
            _until(lambda: len(org.arrived) == 1, workers)
            dead = workers.owner()
            workers.running[dead].kill()
            killed = time.monotonic()
            del workers.running[dead]
            _until(lambda: len(org.arrived) == 2, workers)
            assert org.arrived[1] - killed < 3 * FLEET.lease_s  # the lease, and what a busy machine adds
            (other,) = workers.running
            _until(lambda: workers.status(other)["here"]["targets"][0]["delivered"] == len(IPS), workers)
            assert Counter(org.ips) == Counter(IPS.keys())
            write_list(workers.list, IPS | {"9.9.9.9": "HIGH"}, at=datetime.now(UTC))
            _until(lambda: "9.9.9.9" in org.ips, workers)
            assert len(org.arrived) == 3
            status = tocsin("relay", "status", "--config", str(workers.config(other)))
            assert "target acme: 0 waiting" in status.stdout
            assert "(this one): 3 held\n  source.list\n  target.acme\n  upkeep.signals" in status.stdout

    await asyncio.to_thread(main)


async def test_when_a_worker_is_killed_while_it_carries_forward_another_goes_on(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    many = {f"8.{a}.{b}.1": "HIGH" for a in range(40) for b in range(250)}
    settings = JetStreamSettings(servers=tuple(cluster.urls))

    async def parts() -> list[int]:
        async with open_stores(settings, FLEET) as stores:
            told = await stores.told("acme")
            entries = await told.read()
            await told.close()
            return [entry.seq for entry in entries if b"carried" in entry.body]

    def main() -> None:
        with _workers(tmp_path, cluster) as (workers, org):
            write_list(workers.list, many, at=datetime.now(UTC))
            workers.start("w1", "w2")
            _until(lambda: asyncio.run(parts()), workers)
            dead = workers.owner()
            workers.running.pop(dead).kill()
            _until(lambda: set(org.ips) == set(many), workers)
            twice = [ip for ip, count in Counter(org.ips).items() if count > 1]
            assert len(twice) <= 1000 or workers.lost_a_lease()

    await asyncio.to_thread(main)


async def test_a_worker_that_was_stopped_and_goes_on_sends_nothing(tmp_path: Path, cluster: NatsCluster) -> None:
    def main() -> None:
        with _workers(tmp_path, cluster) as (workers, org):
            workers.start("w1", "w2")
            _until(lambda: set(org.ips) == set(IPS), workers)
            _until(workers.has_settled, workers)  # it may have begun with the first to come
            zombie = workers.owner()
            pid = workers.running[zombie].pid
            os.kill(pid, signal.SIGSTOP)
            held = workers.running.pop(zombie)
            try:
                _until(lambda: workers.owner() in workers.running, workers)
                more = IPS | {"9.9.9.9": "HIGH"}
                write_list(workers.list, more, at=datetime.now(UTC))
                _until(lambda: "9.9.9.9" in org.ips, workers)
                told = len(org.ips)
                os.kill(pid, signal.SIGCONT)
                workers.running[zombie] = held
                _until(lambda: "worker.lease_ended" in held.log.read_text(), workers)
                _until(lambda: workers.owner() == zombie, workers)  # it falls to it, and is handed back
                write_list(workers.list, more | {"9.9.9.8": "HIGH"}, at=datetime.now(UTC))
                _until(lambda: "9.9.9.8" in org.ips, workers)
                assert org.ips[told:] == ["9.9.9.8"]
            finally:
                workers.running[zombie] = held

    await asyncio.to_thread(main)


async def test_a_worker_that_is_told_to_end_hands_over(tmp_path: Path, cluster: NatsCluster) -> None:
    def main() -> None:
        with _workers(tmp_path, cluster) as (workers, org):
            workers.start("w1", "w2")
            _until(lambda: set(org.ips) == set(IPS), workers)
            leaving = workers.owner()
            assert workers.running[leaving].stop() == 0
            del workers.running[leaving]
            _until(lambda: workers.owner() in workers.running, workers)
            write_list(workers.list, IPS | {"9.9.9.9": "HIGH"}, at=datetime.now(UTC))
            _until(lambda: "9.9.9.9" in org.ips, workers)
            # On a machine that is so busy that a lease ended, what was on its way then is told again.
            assert max(Counter(org.ips).values()) == 1 or workers.lost_a_lease()

    await asyncio.to_thread(main)


async def test_the_status_says_what_a_worker_cannot_serve(tmp_path: Path, cluster: NatsCluster) -> None:
    def main() -> None:
        with _workers(tmp_path, cluster) as (workers, _):
            (tmp_path / "token").unlink()
            workers.start("w1")
            _until(lambda: workers.status("w1")["fleet"]["failing"], workers)
            status = tocsin("relay", "status", "--config", str(workers.config("w1"))).stdout
            assert "  cannot serve target.acme, for " in status
            assert "token" in status

    await asyncio.to_thread(main)


async def test_a_program_hands_signals_over_to_the_fleet(tmp_path: Path, cluster: NatsCluster) -> None:
    settings = JetStreamSettings(servers=tuple(cluster.urls))
    with _workers(tmp_path, cluster) as (workers, org):
        await asyncio.to_thread(workers.start, "w1")
        async with open_detector(settings, FLEET) as detector:
            now = datetime.now(UTC)
            await detector.put([Signal("9.9.9.9", RiskLevel.HIGH, now, now.replace(year=now.year + 1), "seen", "ids")])
        await asyncio.to_thread(_until, lambda: "9.9.9.9" in org.ips, workers)


async def test_what_files_say_is_handed_over_to_the_fleet(tmp_path: Path, cluster: NatsCluster) -> None:
    """By a machine that has no targets, from files; what a list says no more is let go."""
    servers = ", ".join(f'"{url}"' for url in cluster.urls)
    config = tmp_path / "detector-journal.toml"
    config.write_text(f"[journal]\nservers = [{servers}]\n")

    def put(*arguments: str) -> Any:
        return tocsin("relay", "put", *arguments, "--config", str(config))

    def main() -> None:
        with _workers(tmp_path, cluster) as (workers, org):
            workers.list.write_text("")
            workers.start("w1")
            mine = write_list(tmp_path / "mine.txt", {"9.9.9.1": "HIGH", "9.9.9.2": "HIGH"}, at=datetime.now(UTC))
            handed = put(str(mine), "--source", "mine")
            assert (handed.returncode, handed.stderr) == (0, "")
            assert "2 signals (2 HIGH)" in handed.stdout
            instead = "2 signals, in place of what it said before"
            assert f"handed over to all targets of the fleet as source mine (put): {instead}\n" in handed.stdout
            _until(lambda: {"9.9.9.1", "9.9.9.2"} <= set(org.ips), workers)
            write_list(mine, {"9.9.9.2": "HIGH"}, at=datetime.now(UTC))
            assert put(str(mine), "--source", "mine").returncode == 0
            _until(lambda: org.ips.count("9.9.9.1") == 2, workers)  # it is let go
            (other := tmp_path / "other.txt").write_text("9.9.9.3\t9\nno address\t9\n")
            broken = put(str(other), "--format", "ipsum", "--json")
            assert broken.returncode == 1, broken.stderr
            assert msgspec.json.decode(broken.stdout)["quarantined"] == 1
            source = f"{socket.gethostname()}:{other}"
            assert msgspec.json.decode(broken.stdout)["source"] == source
            assert broken.stderr.startswith(f"{other}:2: ")
            _until(lambda: "9.9.9.3" in org.ips, workers)
            assert org.ips.count("9.9.9.2") == 1
            other.write_text("9.9.9.4\t9\n")
            (tmp_path / "there").mkdir()
            one_list = put(f"{tmp_path}/there/.././other.txt", "--format", "ipsum")
            assert f"source {source} (put): 1 signals, in place" in one_list.stdout
            _until(lambda: org.ips.count("9.9.9.3") == 2, workers)  # it is let go

    await asyncio.to_thread(main)


async def test_a_pipe_that_is_silent_keeps_nobody_from_interrupting(tmp_path: Path, cluster: NatsCluster) -> None:
    servers = ", ".join(f'"{url}"' for url in cluster.urls)
    config = tmp_path / "detector-journal.toml"
    config.write_text(f"[journal]\nservers = [{servers}]\n")
    line = [sys.executable, "-m", "tocsin", "relay", "put", "-", "--source", "pipe", "--config", str(config)]
    put = await asyncio.create_subprocess_exec(*line, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    assert put.stdin is not None
    put.stdin.write(b"9.9.9.1\n" * 50_000)  # more than a pipe holds: once all is taken, it is being read
    try:
        async with asyncio.timeout(SEEN_WITHIN_S):
            await put.stdin.drain()
            put.send_signal(signal.SIGINT)
            assert await put.wait() == -signal.SIGINT
    finally:
        if put.returncode is None:
            put.kill()
            await put.wait()


def test_what_keeps_a_put_from_the_fleet_is_one_line_and_a_hint(tmp_path: Path) -> None:
    config, signals = tmp_path / "relay.toml", write_list(tmp_path / "list.txt", IPS, at=datetime.now(UTC))
    config.write_text('[targets.acme]\nurl = "https://acme.example"\ntoken_env = "T"\n')
    refused = tocsin("relay", "put", str(signals), "--config", str(config))
    assert refused.returncode == 1
    assert f"{config} has no table [journal]: it is that of a relay alone" in refused.stderr
    assert "give it a table [sources.NAME]" in refused.stderr
    config.write_text('[journal]\nservers = ["nats://127.0.0.1:1"]\nconnect_s = 1.0\n')
    refused = tocsin("relay", "put", str(signals), "--config", str(config))
    assert refused.returncode == 1
    assert "tocsin: no NATS server answers at 127.0.0.1:1: Connection refused\n" in refused.stderr
    refused = tocsin("relay", "put", str(signals), "-", "--source", "mine", "--config", str(config))
    assert refused.returncode == 2
    assert "names one FILE" in refused.stderr
    refused = tocsin("relay", "put", "-", "--config", str(config))
    assert refused.returncode == 2
    assert "is needed for standard input" in refused.stderr


async def test_many_targets_over_four_workers_are_balanced_and_only_what_must_move_moves(
    cluster: NatsCluster,
) -> None:
    items = [f"target.org-{number}" for number in range(500)]

    async def hold(holding: Holding) -> None:
        await holding.leaving.wait()

    async with AsyncExitStack() as stack:
        settings = JetStreamSettings(servers=tuple(cluster.urls))
        stores = [await stack.enter_async_context(open_stores(settings, FLEET)) for _ in range(4)]
        tasks = []
        for number, store in enumerate(stores):
            worker = Worker(
                f"w{number}",
                dict.fromkeys(items, hold),
                workers=store.workers,
                owners=store.owners,
                timing=FLEET.timing,
                monotonic_s=time.monotonic,
                log=Quiet(),
            )
            tasks.append(asyncio.create_task(worker.serve(asyncio.Event())))

        async def all_held(live: int) -> dict[str, tuple[str, int]]:
            while True:
                there = {one.worker for one in present(await stores[0].workers.all())}
                found = {item: (one.worker, rev) for item, (one, rev) in owned(await stores[0].owners.all()).items()}
                has = {item: name for item, (name, _) in found.items()}
                if len(there) == live and has == {item: owner_of(item, there) for item in items}:
                    return found
                await asyncio.sleep(0.2)

        before = await all_held(4)
        assert set(before) == set(items)
        tasks[3].cancel()  # as when it is killed: it says nothing to anyone
        after = await all_held(3)
        moved = {item for item in items if before[item] != after[item]}
        assert moved == {item for item, (name, _) in before.items() if name == "w3"}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refused(folder: Path, servers: str, *, more: str = "") -> str:
    config = folder / "relay.toml"
    config.write_text(
        f'state = "state"\n[journal]\nservers = ["{servers}"]\nconnect_s = 1.0\n{more}\n'
        '[targets.acme]\nurl = "https://acme.example"\ntoken_env = "T"\n'
    )
    told = tocsin("relay", "--config", str(config))
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    return told.stderr


def test_what_keeps_a_worker_from_starting_is_one_line_and_a_hint(tmp_path: Path, nats_cluster: NatsCluster) -> None:
    url = nats_cluster.urls[0]
    assert "no NATS server answers at 127.0.0.1:1" in _refused(tmp_path, "nats://127.0.0.1:1")
    missing = _refused(tmp_path, url)
    assert missing.startswith("tocsin: TOCSIN_SIGNALS: it is not there\n  hint: make it with `tocsin fleet init`")
    too_long = _refused(tmp_path, url, more="[targets.b]\nurl='https://b'\ntoken_env='T'\nlongest_life_s=99999999")
    assert "targets.b.longest_life_s: 99999999 is more than fleet.told_life_s" in too_long
