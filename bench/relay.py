"""How much a relay takes in, how it plans out of ten million, and an hour of it beside what users do today.

Run `python bench/relay.py`; takes about ten minutes, with `--quick` one. The hour is simulated: time is virtual, the
limiter is a faithful model, the relay is the real one. What is measured in seconds depends on the machine; ratios do
not.
"""

import argparse
import asyncio
import gzip
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.minute_window import MinuteWindow
from support.virtual_time import Clock, run_virtually
from tocsin.relay import Answer, Outbox, Relay, RelayConfig, Request, TargetConfig, Telling, Window, pack
from tocsin.relay.intake import Prepared
from tocsin.relay.okta_target import risk_events
from tocsin.relay.relay import Guards, served
from tocsin.signals import RiskLevel, Signal, encode_events, ip_key, ip_text, to_ms
from tocsin.signals.limits import REQUESTS_PER_WINDOW, SUBJECTS_PER_REQUEST
from tocsin.sources import Reading, read_source

ROOT = Path(__file__).resolve().parent.parent
IPSUM = ROOT.parent / "shared" / "data" / "ipsum" / "ipsum.txt.gz"
RTT_S = 0.1
HOUR_S = 3600.0
BURST, BURST_HIGH = 200_000, 20_000
SLOT_S = 60 / REQUESTS_PER_WINDOW


def main() -> None:
    """Print machine, versions and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--hour", action="store_true", help="only the simulated hour")
    parser.add_argument("--plot", type=Path, help="where to draw the hour, as SVG")
    chosen = parser.parse_args()
    parts = [f"{name} {version(name)}" for name in ("lmdb", "msgspec")]
    print(f"{os.cpu_count()} x {_cpu()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    print(", ".join(parts))
    scale = 10 if chosen.quick else 1
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), chosen.plot)
        if chosen.hour:
            return
        if IPSUM.exists():
            asyncio.run(take_in(Path(folder), 5_000_000 // scale))
            run_virtually(lambda: real_list(Path(folder)))
        else:
            print(f"left out, for there is no {IPSUM}: taking in, and the requests for a real list")
        plan(Path(folder), 10_000_000 // scale)


# Taking in


async def take_in(folder: Path, count: int) -> None:
    """The whole ipsum list, again and again, shuffled, through the door of the relay: durable signals/s."""
    listed = _ipsum()
    now = datetime.now(UTC)
    order = array("I", range(count))
    random.Random(1).shuffle(order)
    times = [
        (now + timedelta(seconds=n), now + timedelta(hours=48, seconds=n)) for n in range(count // len(listed) + 1)
    ]

    def chunk(at: int) -> list[Signal]:
        made = []
        for number in order[at : at + 4096]:
            again, which = divmod(number, len(listed))
            ip, level, message = listed[which]
            made.append(Signal(ip, level, *times[again], message, "ipsum"))
        return made

    async with Relay(_config(folder / "take-in"), open_target=_silent) as relay:
        wall_s = cpu_s = 0.0
        for at in range(0, count, 8 * 4096):
            chunks = [chunk(start) for start in range(at, min(at + 8 * 4096, count), 4096)]
            wall, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(relay.put(signals) for signals in chunks))
            wall_s += time.perf_counter() - wall
            cpu_s += time.process_time() - cpu
    print(f"taken in, durable: {count / wall_s:,.0f} signals/s by the clock, {count / cpu_s:,.0f} a second of one core")
    print(f"  ({count:,} signals about {len(listed):,} IPs, 4,096 a put, 8 puts at a time)")


def _ipsum() -> list[tuple[str, RiskLevel, str]]:
    """Every address of the list: on 5 lists HIGH, on 3 MEDIUM, on fewer LOW."""
    found = []
    with gzip.open(IPSUM, "rt") as lines:
        for line in lines:
            if not line.startswith("#"):
                ip, lists = line.split()
                level = RiskLevel.HIGH if int(lists) >= 5 else RiskLevel.MEDIUM if int(lists) >= 3 else RiskLevel.LOW
                found.append((ip, level, f"ipsum listed by {lists} blocklists"))
    return found


# Planning


def plan(folder: Path, pending: int) -> None:
    """One full request out of ten, and out of ten million; and the memory that takes."""
    for count in (10_000, pending):
        outbox = Outbox(folder / f"plan-{count}")
        config = _config(folder)
        outbox.serve(served(outbox, config, Guards()))
        number = outbox.target("acme").number
        started = time.perf_counter()
        peak = _fill(outbox, count)
        filled_s = time.perf_counter() - started
        book = outbox.target("acme")
        plans, records = [], []
        for _ in range(200 if count > 10_000 else 8):
            now_ms = to_ms(datetime.now(UTC))
            started = time.perf_counter()
            request = pack(outbox.best(number, now_ms=now_ms, at_most=SUBJECTS_PER_REQUEST).tellings, now_ms=now_ms)
            plans.append(time.perf_counter() - started)
            assert len(request.tellings) == SUBJECTS_PER_REQUEST
            encode_events(risk_events(request))
            started = time.perf_counter()
            outbox.in_flight.sends("acme", request)
            outbox.in_flight.answered("acme", book, delivered=True, now_ms=now_ms)
            records.append(time.perf_counter() - started)
            outbox.store.let_memory_go()
            peak = max(peak, _resident())
        outbox.close()
        print(f"one full request out of {count:,} pending: planned in {_ms(plans)}, recorded in {_ms(records)}")
        print(f"  (filled at {count / filled_s:,.0f} IPs/s; most memory resident {peak / 2**20:,.0f} MiB)")


def _fill(outbox: Outbox, count: int) -> int:
    """So many IPs, pending; in the order of their addresses, so that it takes minutes and not an hour."""
    dice, now_ms, peak = random.Random(2), to_ms(datetime.now(UTC)), 0
    ends_ms = now_ms + 48 * 3_600_000
    numbers = iter(range(0x0B000000, 0x0B000000 + count))
    while rows := [
        (ip_key(_v4(number)), dice.choice((1, 1, 1, 2, 2, 3)), now_ms, ends_ms, b"listed by 3 blocklists")
        for number in islice(numbers, 16_384)
    ]:
        outbox.take_in([Prepared("list", rows)], now_ms=now_ms)
        peak = max(peak, _resident())
        outbox.store.let_memory_go()
    return peak


def _v4(number: int) -> str:
    return ip_text(bytes(10) + b"\xff\xff" + number.to_bytes(4, "big"))


def _resident() -> int:
    """Bytes of memory this process holds, pages of the file among them."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f} ms (worst {max(seconds) * 1000:.1f})"


# A simulated hour


class Left(NamedTuple):
    """When signals came and when they left for the org, seconds since the start."""

    name: str
    burst_high_s: list[float]
    """When each HIGH of the burst left."""
    waits_s: list[float]
    """How long each trickling HIGH waited; those still there at the end are infinite."""
    sent: list[tuple[float, int]]
    """When each request left, and with how many subjects."""


class ModelTarget:
    """An org's limiter, which knows nothing of IPs; it remembers what left when."""

    name = "model"
    subjects_per_request = SUBJECTS_PER_REQUEST

    def __init__(self) -> None:
        self.window = Window()
        self.clock = Clock()
        self.sent: list[tuple[float, Request]] = []
        self._limiter = MinuteWindow(limit=REQUESTS_PER_WINDOW)
        self.refused = 0

    def pack(self, tellings: Sequence[Telling], *, now_ms: int) -> Request:
        return pack(tellings, now_ms=now_ms)

    async def tell(self, request: Request) -> Answer:
        left_s = self.clock.passed_s
        await asyncio.sleep(RTT_S / 2)
        status, told = self._limiter.ask(self.clock()), self._limiter.allowance(self.clock())
        await asyncio.sleep(RTT_S / 2)
        if status == 202:
            self.sent.append((left_s, request))
        self.refused += status != 202
        return Answer(status, allowance=told)


def simulate(folder: Path, plot: Path | None) -> None:
    """The same hour for the relay and for what users do today."""
    ours, refused = run_virtually(lambda: _relay_hour(folder / "hour"))
    others = [_fifo_hour("one IP per request, FIFO", 1), _fifo_hour("20 events of one subject, FIFO", 20)]
    others.append(_fifo_hour("packed, FIFO", SUBJECTS_PER_REQUEST))
    least_s = (BURST_HIGH // SUBJECTS_PER_REQUEST - 1) * RTT_S
    print(f"an hour: {BURST:,} signals at once, {BURST_HIGH:,} of them HIGH; then a new HIGH every second")
    print(f"  {'':31} {'last HIGH of':>13} {'HIGH waits,':>12} {'':>10} {'subjects':>10}")
    print(f"  {'':31} {'the burst, s':>13} {'p99, s':>12} {'worst, s':>10} {'told':>10}")
    for left in (ours, *others):
        last = max(left.burst_high_s) if len(left.burst_high_s) == BURST_HIGH else float("inf")
        told = sum(count for _, count in left.sent)
        p99, worst = _p99(left.waits_s), max(left.waits_s)
        print(f"  {left.name:31} {last:13,.1f} {p99:12,.2f} {worst:10,.1f} {told:10,}")
    later = _p99(ours.waits_s[60:])
    print(f"  HIGH that came after the minute of the burst: p99 {later:.2f} s; one slot is {SLOT_S:.0f} s")
    minutes = int(next(at for at, count in ours.sent if count < SUBJECTS_PER_REQUEST) // 60)
    told = sum(count for at, count in ours.sent if at < minutes * 60)
    capacity = told / (minutes * REQUESTS_PER_WINDOW * SUBJECTS_PER_REQUEST)
    print(f"  capacity used in the {minutes} whole minutes with a backlog: {capacity:.2%}; answered 429: {refused}")
    print(
        f"  last HIGH of the burst: {max(ours.burst_high_s) / least_s:.3f} x the least that is possible ({least_s} s)"
    )
    if plot is not None:
        _draw(plot, [ours, *others])


async def _relay_hour(folder: Path) -> tuple[Left, int]:
    target, clock = ModelTarget(), Clock()
    came_s: dict[bytes, float] = {}

    @asynccontextmanager
    async def opened(_: TargetConfig) -> AsyncIterator[ModelTarget]:
        yield target

    async with Relay(_config(folder), open_target=opened, clock=clock, draw=lambda: 0.5) as relay:
        now = clock()
        ends = now + timedelta(hours=48)
        # The dangerous ones stand where they stand: evenly among the rest.
        await relay.put(
            [
                Signal(_v4(0x0B000000 + n), RiskLevel.HIGH if n % 10 == 0 else RiskLevel.LOW, now, ends, "", "burst")
                for n in range(BURST)
            ]
        )
        for second in range(int(HOUR_S)):
            ip = _v4(0x17000000 + second)
            came_s[ip_key(ip)] = clock.passed_s
            await relay.put([Signal(ip, RiskLevel.HIGH, clock(), ends, "", "trickle")])
            await asyncio.sleep(second + 1 - clock.passed_s)
        await asyncio.sleep(60)
    burst, waits = [], []
    for at, request in target.sent:
        for telling in request.tellings:
            if telling.key in came_s:
                waits.append(at - came_s[telling.key])
            elif telling.severity == 3:
                burst.append(at)
    sent = [(at, len(request.tellings)) for at, request in target.sent]
    return Left("tocsin relay", burst, waits, sent), target.refused


def _fifo_hour(name: str, subjects: int) -> Left:
    """First come, first served, so many in a request, as fast as the limiter allows."""
    waiting: deque[tuple[float, bool, bool]] = deque((0.0, n % 10 == 0, False) for n in range(BURST))
    burst: list[float] = []
    waits: list[float] = []
    sent: list[tuple[float, int]] = []
    now_s, second, window_ends_s, used = 0.0, 0, 0.0, REQUESTS_PER_WINDOW
    while now_s < HOUR_S:
        while second <= now_s and second < HOUR_S:
            waiting.append((float(second), True, True))
            second += 1
        if now_s >= window_ends_s:
            window_ends_s, used = now_s + 60, 0
        if used == REQUESTS_PER_WINDOW:
            now_s = window_ends_s
            continue
        if not waiting:
            now_s = float(second)
            continue
        batch = [waiting.popleft() for _ in range(min(subjects, len(waiting)))]
        used += 1
        burst += [now_s for _, high, trickles in batch if high and not trickles]
        waits += [now_s - came for came, _, trickles in batch if trickles]
        sent.append((now_s, len(batch)))
        now_s += RTT_S
    waits += [float("inf")] * (int(HOUR_S) - len(waits))
    return Left(name, burst, waits, sent)


def _p99(waits_s: Sequence[float]) -> float:
    return sorted(waits_s)[int(len(waits_s) * 0.99) - 1]


def _draw(path: Path, hours: Sequence[Left]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tocsin"
    from matplotlib import pyplot as plt

    figure, (high, rate) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for hour in hours:
        at = sorted(hour.burst_high_s)
        high.plot([0.0, *at, HOUR_S], [0, *range(1, len(at) + 1), len(at)], label=hour.name)
    high.set(xscale="symlog", xlabel="seconds", ylabel=f"of {BURST_HIGH:,} HIGH of the burst, told", xlim=(0, HOUR_S))
    high.legend(fontsize="small")
    for hour in hours:
        waits = sorted(wait for wait in hour.waits_s if wait != float("inf"))
        share = [n / len(hour.waits_s) * 100 for n in range(1, len(waits) + 1)]
        rate.plot(waits, share, label=hour.name)
    rate.set(xscale="symlog", xlabel="seconds waited, at most", ylabel="% of the HIGH that came one a second")
    rate.set(ylim=(0, 101), xlim=(0, HOUR_S))
    figure.savefig(path, metadata={"Date": None})
    print(f"  drawn in {path}")


# The requests a real list takes


async def real_list(folder: Path) -> None:
    """Requests used, over the fewest that could tell the list."""
    target, clock = ModelTarget(), Clock()

    @asynccontextmanager
    async def opened(_: TargetConfig) -> AsyncIterator[ModelTarget]:
        yield target

    async with Relay(_config(folder / "list"), patient=False, open_target=opened, clock=clock) as relay:
        reading = Reading(now=clock(), source="ipsum", as_of=clock())
        signals = [found for found in read_source(str(IPSUM), reading) if isinstance(found, Signal)]
        await relay.put(signals)
        await relay.drained()
    least = -(-len({signal.ip for signal in signals}) // SUBJECTS_PER_REQUEST)
    used = len(target.sent) + target.refused
    print(f"the real list, {len(signals):,} signals: {used} requests, {used / least:.3f} x the fewest possible")


@asynccontextmanager
async def _silent(_: TargetConfig) -> AsyncIterator["SilentTarget"]:
    yield SilentTarget()


class SilentTarget(ModelTarget):
    """Never answers."""

    async def tell(self, request: Request) -> Answer:
        await asyncio.Event().wait()
        return Answer(None, str(request))


def _config(state: Path) -> RelayConfig:
    acme = TargetConfig(url="https://org.example", token_env="NONE", allow_non_global=True)
    return RelayConfig(state=str(state), targets={"acme": acme})


def _cpu() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
