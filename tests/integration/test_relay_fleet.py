"""Relay workers of a fleet over shared memory, in virtual time: killed, paused, cut off, stopped and started again."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from support.fake_org import FakeOrg, address, signals
from support.relay_fleet import LEASE_S, Fleet, FleetWorker, Quiet, holders
from support.virtual_time import T0, Clock, run_virtually
from tocsin.journal import MemoryJournal, MemoryKeyValue
from tocsin.relay import BudgetConfig, Guards
from tocsin.relay.fleet import Holding, Timing, Worker, share_of
from tocsin.relay.fleet.fenced import sealed
from tocsin.relay.fleet.membership import owned
from tocsin.relay.fleet.names import handed_over
from tocsin.relay.fleet.stream import STREAM, Published, put_topic_of, topic_of
from tocsin.relay.fleet.trimming import trim
from tocsin.relay.intake import SOURCE_BYTES, Prepared, prepare_signals
from tocsin.signals import Batch, InvalidSignals, Retraction, RiskLevel, Signal, to_ms

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)
SETTLED_S = LEASE_S


def _signal(number: int, level: RiskLevel = RiskLevel.HIGH, *, source: str = "a") -> Signal:
    return Signal(address(number), level, T0, T0 + DAY, "seen", source)


def _orgs(*names: str, limit: int = 30, latency_s: float = 0.2) -> dict[str, FakeOrg]:
    return {name: FakeOrg(limit=limit, latency_s=latency_s) for name in names}


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # no event tells it, and time is virtual
        await asyncio.sleep(0.1)


def _owner(fleet: Fleet, item: str) -> FleetWorker:
    (name,) = [one.name for one in fleet.running.values() if item in one.worker.holds and not one.machine.is_cut]
    return fleet.running[name]


def test_what_a_detector_puts_is_told_to_every_target_by_one_worker(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme", "globex", "initech"))
        await fleet.detector.put([_signal(number) for number in range(2500)])
        for name in ("w1", "w2"):
            fleet.start(name)
        await asyncio.sleep(60)
        for name, org in fleet.orgs.items():
            assert len(holders(fleet, f"target.{name}")) == 1
            assert org.statuses == [202] * 3
            assert len(org.taken) == 2500
        await fleet.detector.put([Retraction(address(7), T0 + timedelta(seconds=1), "a")])
        await asyncio.sleep(60)
        assert all(address(7) not in org.picture(fleet.clock()) for org in fleet.orgs.values())
        await fleet.close()

    run_virtually(main)


def test_when_a_worker_dies_another_goes_on_within_the_lease_and_repeats_at_most_one_request(tmp_path: Path) -> None:
    async def main() -> None:
        org = FakeOrg(limit=5, latency_s=2)
        fleet = Fleet(tmp_path, {"acme": org})
        await fleet.detector.put(signals(8000, now=fleet.clock()))
        fleet.start("w1")
        fleet.start("w2")
        await _until(lambda: len(org.arrivals_s) == 3)
        dead = _owner(fleet, "target.acme")
        await dead.kill()  # its third request has arrived, and its answer has not
        died_s = fleet.clock.passed_s
        await _until(lambda: bool(holders(fleet, "target.acme")))
        assert fleet.clock.passed_s - died_s <= LEASE_S
        await asyncio.sleep(120)
        assert set(org.statuses) == {202}
        assert {ip for ip, _ in org.taken} == {address(number) for number in range(8000)}
        twice = [ip for ip, count in Counter(ip for ip, _ in org.taken).items() if count > 1]
        assert len(twice) <= 1000
        assert len(org.arrivals_s) == 9
        await fleet.close()

    run_virtually(main)


def test_answers_that_came_while_the_cluster_was_out_of_reach_are_known_to_the_next_owner(tmp_path: Path) -> None:
    async def main() -> None:
        org = FakeOrg(latency_s=2)
        fleet = Fleet(tmp_path, {"acme": org})
        first = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        for outage in range(3):
            await fleet.detector.put([_signal(outage * 100 + number) for number in range(100)])
            await _until(lambda: len(org.arrivals_s) > len(org.statuses))  # it is at the org
            first.machine.cluster_is_cut = True
            await asyncio.sleep(2 * LEASE_S)
            first.machine.cluster_is_cut = False
            await asyncio.sleep(60)
        assert len(org.taken) == 300
        await first.kill()
        fleet.start("w2")
        await asyncio.sleep(60)
        assert len(org.taken) == 300
        await fleet.close()

    run_virtually(main)


class _SilentOrg(FakeOrg):
    """Says nothing about its budget, as some do: who asks must count."""

    def _headers(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize("kind", [FakeOrg, _SilentOrg])
@pytest.mark.parametrize("sent", [1, 2])
@pytest.mark.parametrize("answered", [True, False])
def test_a_new_owner_knows_what_the_old_one_has_used_of_the_window(
    tmp_path: Path, kind: type[FakeOrg], sent: int, answered: bool
) -> None:
    async def main() -> None:
        org = kind(limit=2, latency_s=4)
        fleet = Fleet(tmp_path, {"acme": org})
        if kind is _SilentOrg:
            fleet.budget = BudgetConfig(requests_per_window=2)
        first = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        await fleet.detector.put([_signal(number) for number in range(4500)])
        await _until(lambda: len(org.statuses if answered else org.arrivals_s) == sent)
        await first.kill()
        org.latency_s = 0.2  # what comes later does not come as late
        fleet.start("w2")
        await asyncio.sleep(300)
        assert set(org.statuses) == {202}
        assert {ip for ip, _ in org.taken} == {address(number) for number in range(4500)}
        await fleet.close()

    run_virtually(main)


def test_a_new_owner_keeps_the_pause_that_an_org_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, {"acme": _SilentOrg()})
        org = fleet.orgs["acme"]
        org.faults = [httpx2.Response(429, headers={"Retry-After": "50"})]
        first = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        await fleet.detector.put([_signal(1)])
        await _until(lambda: org.statuses == [429])
        await asyncio.sleep(0.5)
        await first.kill()
        fleet.start("w2")
        await _until(lambda: org.statuses == [429, 202])
        assert org.arrivals_s[1] - org.arrivals_s[0] > 49
        await fleet.close()

    run_virtually(main)


@pytest.mark.parametrize("jump", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_the_limit_holds_when_the_clock_of_the_fleet_jumps(tmp_path: Path, jump: timedelta) -> None:
    """As when another server leads whose clock is off."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme", limit=5))
        org = fleet.orgs["acme"]
        fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        await fleet.detector.put([_signal(number) for number in range(12_000)])
        await _until(lambda: len(org.statuses) == 5)
        fleet.clock.skew = jump
        await asyncio.sleep(200)
        assert org.statuses == [202] * 12
        await fleet.close()

    run_virtually(main)


def test_a_new_owner_lets_go_what_only_the_old_one_had_told(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        first = fleet.start("w1")
        await fleet.detector.put([_signal(1), _signal(2)])
        await asyncio.sleep(30)
        await first.kill()
        await fleet.detector.put([Retraction(address(1), T0 + timedelta(seconds=1), "a")])
        fleet.start("w2")
        await asyncio.sleep(30)
        assert org.picture(fleet.clock()) == {address(2): "HIGH"}
        assert Counter(ip for ip, _ in org.taken) == {address(1): 2, address(2): 1}
        await fleet.close()

    run_virtually(main)


def test_what_an_org_refused_is_in_quarantine_at_the_next_owner_too(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        org.bad = {address(1)}
        first = fleet.start("w1")
        await fleet.detector.put([_signal(0), _signal(1)])
        await asyncio.sleep(60)
        assert org.statuses.count(400) == 2
        await first.kill()
        second = fleet.start("w2")
        await asyncio.sleep(60)
        (refusal,) = await second.serving.relays["acme"].quarantined()
        assert (refusal.ip, refusal.level, refusal.by) == (address(1), "HIGH", "acme")
        assert "gateways" in refusal.reason
        assert org.statuses.count(400) == 2
        await fleet.close()

    run_virtually(main)


class _Tripwire(MemoryJournal):
    """Does something at the next append, once it is written and before who appended hears so."""

    def __init__(self) -> None:
        super().__init__()
        self.on_append: Callable[[], object] = lambda: None

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        seq = await super().append(topic, body, expect_last=expect_last)
        then, self.on_append = self.on_append, lambda: None
        then()
        return seq


@pytest.mark.parametrize("where", ["before the intent", "after the intent"])
def test_a_worker_that_was_paused_sends_nothing_when_it_wakes_up(tmp_path: Path, where: str) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme", limit=5, latency_s=0))
        org = fleet.orgs["acme"]
        told = fleet.told["acme"] = _Tripwire()
        fleet.start("w1")
        fleet.start("w2")
        await asyncio.sleep(SETTLED_S)
        zombie = _owner(fleet, "target.acme")
        if where == "before the intent":
            zombie.machine.pause()
            await fleet.detector.put([_signal(number) for number in range(10)])
        else:
            told.on_append = zombie.machine.pause
            await fleet.detector.put([_signal(number) for number in range(10)])
        await asyncio.sleep(3 * LEASE_S)
        assert len(org.taken) == 10
        assert len(holders(fleet, "target.acme")) == 2  # the paused one knows nothing yet
        arrived = len(org.arrivals_s)
        zombie.machine.resume()
        await asyncio.sleep(1)
        assert zombie.name not in holders(fleet, "target.acme")
        assert len(org.arrivals_s) == arrived == 1
        await asyncio.sleep(120)
        assert len(holders(fleet, "target.acme")) == 1
        assert len(org.arrivals_s) == 1
        await fleet.close()

    run_virtually(main)


def test_a_zombie_whose_clock_stands_still_is_fenced_by_the_journal(tmp_path: Path) -> None:
    """Its lease seems to hold: only the order of the journal keeps it from sending."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        zombie = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        zombie.machine.monotonic_s = lambda: 0.0  # type: ignore[method-assign]
        fleet.workers = type(fleet.workers)(clock=lambda: fleet.clock().timestamp(), life_s=4)  # all presence is lost
        fleet.start("w2")
        await asyncio.sleep(SETTLED_S)
        assert holders(fleet, "target.acme") == ["w1", "w2"]
        await fleet.detector.put([_signal(1)])
        await asyncio.sleep(30)
        assert len(org.arrivals_s) == 1
        assert any(event == "worker.lost" for event, _ in zombie.log.said)
        await fleet.close()

    run_virtually(main)


def test_a_worker_that_cannot_renew_stops_before_another_starts(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        fleet.start("w1")
        fleet.start("w2")
        await asyncio.sleep(SETTLED_S)
        cut = _owner(fleet, "target.acme")
        cut.machine.is_cut = True
        seen = set[tuple[str, ...]]()
        while not (now := tuple(holders(fleet, "target.acme"))) or now == (cut.name,):
            seen.add(now)
            await asyncio.sleep(0.05)
        assert seen == {(cut.name,), ()}
        cut.machine.is_cut = False
        await asyncio.sleep(2 * SETTLED_S)
        assert holders(fleet, "target.acme") == [cut.name]  # it falls to it, so it was given back
        await fleet.close()

    run_virtually(main)


def test_one_that_comes_takes_its_share_and_one_that_is_stopped_hands_over_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        names = [f"org-{number}" for number in range(12)]
        fleet = Fleet(tmp_path, _orgs(*names))
        items = [f"target.{name}" for name in names]
        fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        assert all(holders(fleet, item) == ["w1"] for item in items)
        second = fleet.start("w2")
        await asyncio.sleep(SETTLED_S)
        to_move = share_of("w2", items, ["w1", "w2"])
        assert 0 < len(to_move) < len(items)
        assert {item for item in items if holders(fleet, item) == ["w2"]} == to_move
        took = [facts["item"] for event, facts in fleet.running["w1"].log.said if event == "worker.took"]
        assert len(took) == len(items) + 1  # and the upkeep: none of it twice
        await second.stop()
        await asyncio.sleep(fleet.config.timing.round_s + 0.1)
        assert all(holders(fleet, item) == ["w1"] for item in items)
        await fleet.close()

    run_virtually(main)


def test_who_asks_how_engines_are_doing_and_guards_them_does_not_mind_that_one_ends(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme", "globex"))
        serving = fleet.start("w1").serving
        await asyncio.sleep(SETTLED_S)
        closed = serving.relays["acme"]
        await closed.__aexit__(None, None, None)
        serving.relays["acme"] = closed  # as while it is being closed
        assert [target.name for target in (await serving.status()).targets] == ["globex"]
        await serving.guard(Guards(terms=b"other networks"))
        await fleet.close()

    run_virtually(main)


def test_a_handover_repeats_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        org = FakeOrg(limit=30, latency_s=1.5)
        fleet = Fleet(tmp_path, {"acme": org})
        await fleet.detector.put(signals(9000, now=fleet.clock()))
        fleet.start("w1")
        fleet.start("w2")
        await _until(lambda: len(org.arrivals_s) == 3)
        await _owner(fleet, "target.acme").stop()
        await asyncio.sleep(60)
        assert len(org.taken) == 9000
        assert len(set(org.taken)) == 9000
        assert len(org.arrivals_s) == 9
        await fleet.close()

    run_virtually(main)


def test_ten_thousand_targets_over_four_workers_are_balanced_and_only_what_must_move_moves() -> None:
    items = [f"target.org-{number}" for number in range(10_000)]

    async def hold(holding: Holding) -> None:
        await holding.leaving.wait()

    async def main() -> None:
        clock, timing = Clock(), Timing(LEASE_S)
        workers = MemoryKeyValue(clock=lambda: clock().timestamp(), life_s=timing.life_s)
        owners = MemoryKeyValue(clock=lambda: clock().timestamp())
        tasks: list[asyncio.Task[None]] = []

        def start() -> None:
            worker = Worker(
                f"w{len(tasks)}",
                dict.fromkeys(items, hold),
                workers=workers,
                owners=owners,
                timing=timing,
                monotonic_s=asyncio.get_running_loop().time,
                log=Quiet(),
            )
            tasks.append(asyncio.create_task(worker.serve(asyncio.Event())))

        async def settled() -> dict[str, tuple[str, int]]:
            await asyncio.sleep(3 * LEASE_S)
            return {item: (one.worker, revision) for item, (one, revision) in owned(await owners.all()).items()}

        for _ in range(4):
            start()
        four = await settled()
        counts = Counter(worker for worker, _ in four.values())
        assert len(four) == len(items)
        assert all(abs(count - 2500) <= 250 for count in counts.values()), counts
        start()
        five = await settled()
        assert {five[item][0] for item in items if five[item] != four[item]} == {"w4"}
        tasks[0].cancel()  # as when it is killed: it says nothing to anyone
        left = await settled()
        assert {item for item in items if left[item] != five[item]} == {i for i in items if five[i][0] == "w0"}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtually(main)


class _List:
    """A list that is read whole again and again, as a followed file is."""

    def __init__(self, name: str, readings: list[list[int]]) -> None:
        self.name, self.readings = name, readings
        self.began_at: list[bytes] = []
        self.open = 0

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        self.began_at.append(position)
        self.open += 1
        try:
            for number in range(int(position or b"0"), len(self.readings)):
                claims = [_signal(n, source=self.name) for n in self.readings[number]]
                yield Batch(source=self.name, claims=[*claims], position=b"%d" % (number + 1), ends_list=True)
                await asyncio.sleep(20)
            await asyncio.Event().wait()
        finally:
            self.open -= 1


def test_a_source_is_read_by_one_worker_and_goes_on_where_its_last_one_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        source = _List("list", [[*range(3000)], [*range(10)], [*range(5)]])
        fleet.start("w1", sources=[source])
        fleet.start("w2", sources=[source])
        while not org.picture(fleet.clock()):
            await asyncio.sleep(1)
            assert source.open <= 1
        await _owner(fleet, "source.list").kill()
        await asyncio.sleep(90)
        assert source.began_at == [b"", b"1"]
        assert source.open == 1
        assert set(org.picture(fleet.clock())) == {address(number) for number in range(5)}
        await fleet.close()

    run_virtually(main)


def test_a_new_owner_tells_nothing_that_a_list_dropped_before_it_came(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        for numbers in (range(3000), range(10)):
            claims = [_signal(number, source="list") for number in numbers]
            await fleet.detector.put(Batch(source="list", claims=[*claims], ends_list=True))
        fleet.start("w1")
        await asyncio.sleep(60)
        assert {ip for ip, _ in fleet.orgs["acme"].taken} == {address(number) for number in range(10)}
        await fleet.close()

    run_virtually(main)


@pytest.mark.parametrize("name", ["list", STREAM, "x" * 600])
def test_what_is_handed_over_takes_the_place_of_nothing_that_a_worker_reads(tmp_path: Path, name: str) -> None:
    """Whatever it is called by whoever has a detector's key, the position in the stream that it names too."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        worker = fleet.start("w1", sources=[_List("list", [[1, 2]])])
        await asyncio.sleep(30)
        forged = Prepared(name, prepare_signals([_signal(3)])[0].rows, position=b"999", ends_list=True, begins=True)
        body = sealed(Published(forged), by="put/forged", at_ms=to_ms(fleet.clock()))
        await fleet.signals.append(put_topic_of(name), body)
        await asyncio.sleep(60)
        assert set(org.picture(fleet.clock())) == {address(number) for number in (1, 2, 3)}
        taken = {source.name: source.taken for source in (await worker.serving.status()).sources}
        assert taken == {"list": 2, handed_over(name): 1}
        batch = Batch(source=name, claims=[_signal(4)], ends_list=True)
        if len(name) > SOURCE_BYTES:
            with pytest.raises(InvalidSignals, match="has 600 bytes"):
                await fleet.detector.put(batch)
        else:
            await fleet.detector.put(batch)
            await asyncio.sleep(60)
            assert set(org.picture(fleet.clock())) == {address(number) for number in (1, 2, 4)}
        await fleet.close()

    run_virtually(main)


def test_what_nothing_speaks_of_any_more_is_forgotten_and_the_position_stays(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"), signals_life_s=3600, told_life_s=1800)
        org = fleet.orgs["acme"]
        source = _List("list", [[1], [2]])
        first = fleet.start("w1", sources=[source])
        await fleet.detector.put([_signal(9)])
        await asyncio.sleep(1000)
        assert org.picture(fleet.clock() + timedelta(seconds=1900)) == {}  # no telling outlasts the ledger
        await asyncio.sleep(3 * 3600)
        assert org.picture(fleet.clock()) == {}  # nothing is claimed beyond what the stream remembers
        assert len(await fleet.signals.read()) == 2
        assert len(await fleet.told["acme"].read()) < 5
        await first.kill()
        fleet.start("w2", sources=[source])
        await asyncio.sleep(60)
        assert source.began_at == [b"", b"2"]
        await fleet.close()

    run_virtually(main)


class _UntilCarried(MemoryJournal):
    """Does something when a part of what the target holds has been carried forward, and the worker has not heard so."""

    def __init__(self) -> None:
        super().__init__()
        self.on_carried: Callable[[], object] = lambda: None

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        seq = await super().append(topic, body, expect_last=expect_last)
        if b"carried" in body:
            self.on_carried()
            await asyncio.sleep(0)  # here it dies
        return seq


def test_what_a_target_holds_is_carried_forward_so_its_ledger_stays_short(tmp_path: Path) -> None:
    """A worker dies each second time, just when it has done so; whoever goes on knows it, and repeats nothing."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        told = fleet.told["acme"] = _UntilCarried()
        died: list[asyncio.Task[None]] = []

        times = count(1)

        def dies() -> None:
            if next(times) % 2 == 0:
                return
            (holder,) = holders(fleet, "target.acme")
            died.append(asyncio.create_task(fleet.running.pop(holder).kill()))
            fleet.start(f"w{len(died) + 1}")

        told.on_carried = dies
        fleet.start("w1")
        levels = (RiskLevel.HIGH, RiskLevel.MEDIUM)
        for again in range(80):
            observed = fleet.clock()
            ends = observed + DAY
            await fleet.detector.put(
                [Signal(address(number), levels[again % 2], observed, ends, "seen", "a") for number in range(5)]
            )
            await asyncio.sleep(60)
        assert len(died) >= 2
        assert org.statuses == [202] * len(org.statuses)
        assert len(org.taken) == 80 * 5
        assert org.picture(fleet.clock()) == {address(number): "MEDIUM" for number in range(5)}
        assert len(await told.read()) < 60
        await fleet.close()

    run_virtually(main)


def test_of_a_list_that_is_read_again_and_again_the_stream_keeps_the_last_readings(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        org = fleet.orgs["acme"]
        source = _List("list", [[number, number + 1, 99] for number in range(40)])
        fleet.start("w1", sources=[source])
        await fleet.detector.put([_signal(7, source="other")])
        await asyncio.sleep(900)
        assert len(await fleet.signals.read()) < 10
        await next(iter(fleet.running.values())).kill()
        fleet.start("w2", sources=[source])
        await asyncio.sleep(60)
        held = {address(number) for number in (7, 39, 40, 99)}
        assert held == set(org.picture(fleet.clock()))
        await fleet.close()

    run_virtually(main)


def test_two_workers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        one = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        other = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        ended = [worker for worker in (one, other) if worker.task is not None and worker.task.done()]
        assert ended
        for worker in ended:
            assert worker.task is not None
            assert "another worker is called w1" in str(worker.task.exception())
        fleet.running = {f"{n}": w for n, w in enumerate((one, other)) if w not in ended}
        await fleet.close()

    run_virtually(main)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_to_four_workers_limits_hold_and_all_is_told(tmp_path: Path, seed: int) -> None:
    async def main() -> None:
        dice = random.Random(seed)
        orgs = _orgs("acme", "globex", "initech", limit=4, latency_s=1)
        fleet = Fleet(tmp_path, orgs)
        names = ["w1", "w2", "w3", "w4"]
        for name in names:
            fleet.start(name)
        wanted: set[str] = set()
        for minute in range(12):
            found = [_signal(minute * 1000 + n) for n in range(dice.randrange(1000))]
            wanted |= {signal.ip for signal in found}
            await fleet.detector.put(found)
            await asyncio.sleep(dice.uniform(1, 30))
            victim = fleet.running[dice.choice(names)]
            match dice.choice(["kill", "pause", "cut", "stop"]):
                case "kill":
                    await victim.kill()
                    await asyncio.sleep(dice.uniform(0, 2 * LEASE_S))
                    fleet.start(victim.name)
                case "pause":
                    victim.machine.pause()
                    await asyncio.sleep(dice.uniform(0, 3 * LEASE_S))
                    victim.machine.resume()
                case "cut":
                    victim.machine.is_cut = True
                    await asyncio.sleep(dice.uniform(0, 3 * LEASE_S))
                    victim.machine.is_cut = False
                case "stop":
                    await victim.stop()
                    fleet.start(victim.name)
        await asyncio.sleep(900)
        for org in orgs.values():
            assert set(org.statuses) == {202}, Counter(org.statuses)
            assert set(org.picture(fleet.clock())) == wanted
            # Each time at most one request is told again, and most times none.
            assert len(org.taken) - len(wanted) <= 12 * max(org.sizes)
        await fleet.close()

    run_virtually(main)


def _forged(row: object) -> bytes:
    """An entry as `Detector.put` makes it, but for one row of it."""
    return sealed([{"source": "x", "rows": [row]}, b""], by="put/forged", at_ms=to_ms(T0))


KEY, MS = bytes(15) + b"\1", to_ms(T0)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"",
        sealed({"a newer": "version"}, by="put/newer", at_ms=MS),
        _forged([KEY, 4, MS, MS, b""]),
        _forged([KEY, 3, MS, 2**63, b""]),
        _forged([KEY[1:], 3, MS, MS, b""]),
        _forged([KEY, 3, MS, MS, b"x" * 600]),
        _forged([KEY, 3, MS, MS + 60_000, b"\xff"]),
        _forged([KEY, 3, MS, MS + 60_000, b"a@b"]),
    ],
    ids=["no-entry", "empty", "newer", "severity", "expires", "key", "long-message", "no-text", "no-message"],
)
def test_whatever_is_handed_over_stops_no_target(tmp_path: Path, body: bytes) -> None:
    """Anyone with a detector's key may write it, and a newer version beside older workers does."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme", "globex"))
        worker = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        with capture_logs() as logs:
            for _ in range(12):
                await fleet.signals.append(put_topic_of("x"), body)
            await fleet.detector.put([_signal(2)])
            await asyncio.sleep(60)
        assert [[ip for ip, _ in org.taken] for org in fleet.orgs.values()] == [[address(2)], [address(2)]]
        said = [log for log in logs if log["event"] == "stream.passed_over"]
        assert [(log["seq"], log["count"]) for log in said] == [(1, 1), (10, 10)], "not once for each target or entry"
        status = await worker.serving.status()
        (source,) = [one for one in status.sources if one.name == handed_over("x")]
        assert (sum(source.skipped.values()), status.quarantined) == (12, 2)
        await fleet.close()

    run_virtually(main)


def test_what_a_newer_version_reads_stops_the_target_and_says_why(tmp_path: Path) -> None:
    """It may be the end of a list: who passes over it would tell what the list has dropped, and not what it added."""

    async def main() -> None:
        fleet = Fleet(tmp_path, _orgs("acme"))
        worker = fleet.start("w1")
        await asyncio.sleep(SETTLED_S)
        await fleet.signals.append(topic_of("list"), sealed({"a newer": "version"}, by="w2", at_ms=to_ms(T0)))
        await fleet.detector.put([_signal(2)])
        await asyncio.sleep(60)
        assert fleet.orgs["acme"].taken == []
        assert any("entry 1 of signals.list cannot be read" in str(facts) for _, facts in worker.log.said)
        await fleet.close()

    run_virtually(main)


async def test_what_cannot_be_read_is_forgotten_with_what_is_as_old() -> None:
    journal = MemoryJournal()
    for number in range(60):
        body = sealed("", by="w1", at_ms=to_ms(T0 + number * DAY)) if number % 20 == 0 else b"{}"
        await journal.append("signals.x.put", body)
    await trim(journal, "signals.", clock=lambda: T0 + 51 * DAY, life=30 * DAY)
    assert (await journal.read())[0].seq == 22, "up to the last one that is known to be older"
    await trim(journal, "signals.", clock=lambda: T0 + 50 * DAY, life=0 * DAY)
    assert (await journal.read())[0].seq == 42


@pytest.mark.parametrize("forged_ms", [0, to_ms(T0 + 1000 * DAY)], ids=["of long ago", "of a time to come"])
async def test_an_entry_that_says_a_wrong_time_takes_no_other_with_it_and_keeps_none(forged_ms: int) -> None:
    journal = MemoryJournal()
    for number in range(60):
        await journal.append("signals.x.put", sealed("", by="w1", at_ms=forged_ms if number == 10 else to_ms(T0)))
    for number in range(60):
        at_ms = forged_ms if number % 2 else to_ms(T0 + 30 * DAY)
        await journal.append("signals.x.put", sealed("", by="w1", at_ms=at_ms))
    await trim(journal, "signals.", clock=lambda: T0 + 31 * DAY, life=7 * DAY)
    assert (await journal.read())[0].seq == 61
