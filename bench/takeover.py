"""How long a target of a fleet waits when a worker that never had it takes it over.

Run `python bench/takeover.py`; takes a few minutes, `--quick` a tenth. A list of 200,000 addresses is read again and
again, and each time its levels are others, so that all of it is told again. Then a worker with an empty folder begins.
"""

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from tocsin.journal.jetstream import JetStreamSettings
from tocsin.journal.jetstream.declared import make
from tocsin.relay import Answer, RelayConfig, Request, TargetConfig, Telling, Window, pack
from tocsin.relay.fleet import Detector, FleetConfig, Holding, Serving, SharedStream, Stores
from tocsin.relay.fleet.declared import SIGNALS_STREAM, TOLD_STREAM, declared
from tocsin.relay.fleet.detector import SourceDoor
from tocsin.relay.fleet.opening import open_stores
from tocsin.relay.fleet.turns import TURNS_AT_ONCE, Turns
from tocsin.signals import Batch, RiskLevel, Signal, ip_text
from tocsin.signals.limits import SUBJECTS_PER_REQUEST

FLEET = FleetConfig()
LIFE = timedelta(hours=48)
ROWS_PER_BATCH = 5_000
LEVELS = (RiskLevel.HIGH, RiskLevel.MEDIUM)


class Taker:
    """An org without a limit, which takes everything at once."""

    name = "taker"
    subjects_per_request = SUBJECTS_PER_REQUEST
    window = Window(limit=1_000_000)

    def __init__(self) -> None:
        self.taken = 0
        self.told = asyncio.Event()

    def pack(self, tellings: Sequence[Telling], *, now_ms: int) -> Request:
        return pack(tellings, now_ms=now_ms)

    async def tell(self, request: Request) -> Answer:
        self.taken += len(request.tellings)
        self.told.set()
        return Answer(202)

    @asynccontextmanager
    async def open(self, _: TargetConfig) -> AsyncIterator["Taker"]:
        yield self


def main() -> None:
    """Print machine and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the list")
    parser.add_argument("--readings", type=int, default=12, help="how often the list is read and told before")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} x {_cpu()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, NatsCluster(Path(folder) / "nats") as cluster:
        asyncio.run(take_over(Path(folder), cluster, 20_000 if chosen.quick else 200_000, chosen.readings))


async def take_over(folder: Path, cluster: NatsCluster, addresses: int, readings: int) -> None:
    """Fill stream and ledger by one worker, then let another one go on."""
    async with jetstream(cluster) as connection:
        await make(connection, declared(FLEET.lease_s))
        async with open_stores(JetStreamSettings(servers=tuple(cluster.urls)), FLEET) as stores:
            begun = time.monotonic()
            async with _serving(folder / "first", stores, first := Taker()):
                door = SourceDoor(
                    stores.signals,
                    "list",
                    Holding("source.list", by="reader/1", holds=lambda: True),
                    clock=stores.clock,
                    life=FLEET.signals_life,
                )
                await door.begin_reading("list")
                for reading in range(readings):
                    await _read(door, addresses, reading, stores.clock() - timedelta(hours=readings - reading))
                    await _until_taken(first, (reading + 1) * addresses)
            print(f"{addresses:,} addresses read and told {readings} times in {time.monotonic() - begun:.0f} s")
            for name in (SIGNALS_STREAM, TOLD_STREAM):
                state = (await connection.api(f"STREAM.INFO.{name}"))["state"]
                print(f"  {name}: {state['messages']:,} entries, {state['bytes'] / 2**20:,.1f} MiB")
            for what in ("with an empty folder", "with the folder it just had"):
                await _go_on(folder / "second", stores, what)


async def _go_on(folder: Path, stores: Stores, what: str) -> None:
    """From the moment that a worker has the target until it tells what came last."""
    detector = Detector(stores.signals, clock=stores.clock, life=FLEET.signals_life)
    now = stores.clock()
    await detector.put([Signal(f"9.9.9.{now.second}", RiskLevel.HIGH, now, now + LIFE, "new", "trickle")])
    wall_s, cpu_s = time.monotonic(), time.process_time()
    async with _serving(folder, stores, second := Taker()):
        await second.told.wait()
        wall_s, cpu_s = time.monotonic() - wall_s, time.process_time() - cpu_s
    print(f"a worker {what} tells what is new after {wall_s:.1f} s ({cpu_s:.1f} s of a core)")


@asynccontextmanager
async def _serving(folder: Path, stores: Stores, taker: Taker) -> AsyncIterator[None]:
    acme = TargetConfig(url="https://acme.example", token_env="NONE", allow_non_global=True)
    stream = SharedStream(stores.signals, Turns(TURNS_AT_ONCE))
    serving = Serving(
        RelayConfig(state=str(folder), targets={"acme": acme}), FLEET, stores, stream, open_target=taker.open
    )
    holding = Holding("target.acme", by=f"{folder.name}/{time.monotonic_ns()}", holds=lambda: True)
    reading = asyncio.create_task(stream.run(warn=print))
    working = asyncio.ensure_future(serving.works([])["target.acme"](holding))
    try:
        yield
    finally:
        holding.leaving.set()
        await working
        reading.cancel()


async def _read(door: SourceDoor, addresses: int, reading: int, as_of: datetime) -> None:
    level = LEVELS[reading % len(LEVELS)]
    for at in range(0, addresses, ROWS_PER_BATCH):
        numbers = range(at, min(at + ROWS_PER_BATCH, addresses))
        claims = [
            Signal(_v4(number), level, as_of, datetime.now(UTC) + LIFE, "listed by 3 blocklists", "list")
            for number in numbers
        ]
        await door.put(Batch(source="list", claims=[*claims], ends_list=numbers.stop == addresses))


async def _until_taken(taker: Taker, subjects: int) -> None:
    while taker.taken < subjects:
        taker.told.clear()
        await taker.told.wait()


def _v4(number: int) -> str:
    return ip_text(bytes(10) + b"\xff\xff" + (0x0B000000 + number).to_bytes(4, "big"))


def _cpu() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
