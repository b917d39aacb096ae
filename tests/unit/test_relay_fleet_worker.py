"""What a worker takes, leaves, and leaves to others, over tables in memory, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from support.relay_fleet import LEASE_S, Quiet
from support.virtual_time import Clock, run_virtually
from tocsin.journal import JournalUnreachable, Kept, MemoryKeyValue
from tocsin.relay import RelayError
from tocsin.relay.fleet import Holding, Timing, Worker, share_of
from tocsin.relay.fleet.faults import Failing, Faults
from tocsin.relay.fleet.membership import Owner, key_of
from tocsin.relay.fleet.who import who_has_what

TIMING = Timing(LEASE_S)
ITEMS = [f"target.org-{number}" for number in range(60)]
AN_ITEM = ITEMS[0]
SETTLED_S = LEASE_S


class _Tables:
    """The two tables of a fleet; whoever runs over them is written down."""

    def __init__(self) -> None:
        self._clock = Clock()
        self.workers = MemoryKeyValue(clock=lambda: self._clock().timestamp(), life_s=TIMING.life_s)
        self.owners = MemoryKeyValue(clock=lambda: self._clock().timestamp())
        self.running: list[tuple[str, str]] = []
        self.started: list[tuple[str, str]] = []
        self.logs: dict[str, Quiet] = {}

    def start(
        self, name: str, items: Iterable[str] = ITEMS, *, fails: Callable[[str], bool] = lambda _: False
    ) -> tuple[asyncio.Task[None], asyncio.Event]:
        """`fails` says of an item whether this worker's machine cannot serve it."""

        async def serve(holding: Holding) -> None:
            if fails(holding.item):
                raise RelayError("the disk is full")
            self.started.append((name, holding.item))
            self.running.append((name, holding.item))
            try:
                await holding.leaving.wait()
            finally:
                self.running.remove((name, holding.item))

        self.logs[name] = Quiet()
        stopped = asyncio.Event()
        worker = Worker(
            name,
            dict.fromkeys(items, serve),
            workers=self.workers,
            owners=self.owners,
            timing=TIMING,
            monotonic_s=asyncio.get_running_loop().time,
            log=self.logs[name],
        )
        return asyncio.create_task(worker.serve(stopped)), stopped

    def of(self, name: str) -> set[str]:
        """What it serves now."""
        return {item for worker, item in self.running if worker == name}


def _run(main: Callable[[_Tables], Awaitable[None]]) -> None:
    async def run() -> None:
        before = asyncio.all_tasks()
        await main(_Tables())
        for task in asyncio.all_tasks() - before:
            task.cancel()

    run_virtually(run)


def test_what_a_worker_cannot_serve_others_do_until_it_may_be_mended() -> None:
    broken = [True]

    async def main(tables: _Tables) -> None:
        mine = share_of("w1", ITEMS, ["w1", "w2"])
        tables.start("w1", fails=lambda item: broken[0] and item == min(mine))
        tables.start("w2")
        await asyncio.sleep(90)
        assert tables.of("w1") == mine - {min(mine)}
        assert min(mine) in tables.of("w2")
        broken[0] = False
        await asyncio.sleep(300 + SETTLED_S)
        assert tables.of("w1") == mine

    _run(main)


def test_what_no_worker_can_serve_is_tried_again_for_ever() -> None:
    broken = [True]

    async def main(tables: _Tables) -> None:
        for name in ("w1", "w2"):
            tables.start(name, fails=lambda item: broken[0] and item == AN_ITEM)
        await asyncio.sleep(200)
        assert AN_ITEM not in tables.of("w1") | tables.of("w2")
        broken[0] = False
        await asyncio.sleep(20)
        assert AN_ITEM in tables.of("w1") | tables.of("w2")

    _run(main)


def test_what_a_worker_fails_at_it_says_with_the_reason_and_since_when_until_it_works() -> None:
    broken = [True]

    async def main(tables: _Tables) -> None:
        async def failing() -> dict[str, list[Failing]]:
            return who_has_what(await tables.workers.all(), await tables.owners.all()).failing

        tables.start("w1", fails=lambda item: broken[0] and item == AN_ITEM)
        await asyncio.sleep(200)
        (told,) = (await failing())["w1"]
        assert (told.item, told.reason) == (AN_ITEM, "the disk is full")
        assert 200 - 2 * SETTLED_S <= told.for_s <= 200
        assert [facts["workers"] for event, facts in tables.logs["w1"].said if event == "worker.fleet"] == [1, 1]
        broken[0] = False
        await asyncio.sleep(400)
        assert await failing() == {}

    _run(main)


def test_what_fails_whenever_it_is_tried_again_has_failed_since_it_did_first() -> None:
    faults, now_s = Faults(), 0.0
    while now_s < 3600:
        if not faults.waits(AN_ITEM, now_s) and AN_ITEM not in faults.cannot(now_s):
            faults.failed(AN_ITEM, now_s, "no token file")
        now_s += 2
    (told,) = faults.failing(now_s)
    assert told.for_s == 3600


def test_a_cluster_that_is_away_for_a_moment_is_no_fault_of_a_worker_that_had_others() -> None:
    faults = Faults()
    for now_s in (0, 15, 30):
        faults.failed(AN_ITEM, now_s, "no token file")
    assert faults.cannot(30) == {AN_ITEM}
    faults.put_off(AN_ITEM, 3600)
    assert faults.waits(AN_ITEM, 3601)
    assert not faults.cannot(3601)
    assert faults.failing(3601) == []


class _Late(MemoryKeyValue):
    """The first answer about one key comes late, and the first one about another key is none."""

    late, none = ITEMS[0], ITEMS[1]

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=lambda: clock().timestamp())
        self._first = {self.late, self.none}

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        first = key in self._first
        self._first.discard(key)
        if first and key == self.none:
            raise JournalUnreachable(key, seconds=10, why="no quorum")
        found = await super().put(key, value, revision=revision)
        if first:
            await asyncio.sleep(3)
        return found


def test_an_answer_that_comes_late_starts_nothing_twice() -> None:
    async def main(tables: _Tables) -> None:
        tables.owners = _Late(Clock())
        task, _ = tables.start("w1", ITEMS[:3])
        await asyncio.sleep(30)
        assert sorted(tables.started) == sorted(tables.running) == [("w1", item) for item in ITEMS[:3]]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert tables.running == []

    _run(main)


class _Behind(MemoryKeyValue):
    """As a server knows it whose clock is ahead: one entry has ended there, and not where the leader is."""

    hidden = ""

    async def all(self, branch: str = "") -> dict[str, Kept]:
        return {key: kept for key, kept in (await super().all(branch)).items() if key != self.hidden}


def test_a_live_worker_that_a_server_knows_nothing_of_keeps_what_it_has() -> None:
    async def main(tables: _Tables) -> None:
        tables.workers = behind = _Behind(clock=lambda: Clock()().timestamp(), life_s=TIMING.life_s)
        tables.start("w1")
        await asyncio.sleep(SETTLED_S)
        behind.hidden = "w1"
        tables.start("w2")
        await asyncio.sleep(3 * LEASE_S)
        assert tables.of("w1") == share_of("w1", ITEMS, ["w1", "w2"])
        assert tables.of("w2") == {*ITEMS} - tables.of("w1")
        assert len(tables.started) == len(ITEMS) + len(tables.of("w2"))

    _run(main)


def test_what_stands_under_a_workers_name_and_falls_to_another_is_given_back() -> None:
    """Taken by a write whose answer got lost before the shares changed, or by a run with other targets."""

    async def main(tables: _Tables) -> None:
        for item in ITEMS:
            await tables.owners.put(key_of(item), msgspec.json.encode(Owner(item, "w1")), revision=0)
        for name in ("w1", "w2"):
            tables.start(name)
        await asyncio.sleep(2 * SETTLED_S)
        assert tables.of("w1") == share_of("w1", ITEMS, ["w1", "w2"])
        assert tables.of("w2") == share_of("w2", ITEMS, ["w1", "w2"])

    _run(main)


def test_a_worker_with_one_target_more_takes_its_share_and_no_more() -> None:
    async def main(tables: _Tables) -> None:
        names = ["w1", "w2", "w3"]
        started = {name: tables.start(name) for name in names}
        await asyncio.sleep(SETTLED_S)
        for name in names:
            before = {one: tables.of(one) for one in names if one != name}
            task, stopped = started[name]
            stopped.set()
            await task
            tables.start(name, [*ITEMS, "target.new"])
            await asyncio.sleep(3 * LEASE_S)
            assert tables.of(name) - {"target.new"} == share_of(name, ITEMS, names)
            assert all(tables.of(one) - {"target.new"} == had - {"target.new"} for one, had in before.items())
            assert len(tables.running) == len(ITEMS) + 1

    _run(main)


class _CutOff(MemoryKeyValue):
    """It can be put out of reach; who asks then hears so after ten seconds."""

    is_cut = False

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        if self.is_cut:
            await asyncio.sleep(10)
            raise JournalUnreachable(key, seconds=10, why="no server answers")
        return await super().put(key, value, revision=revision)


def test_a_worker_that_is_stopped_while_the_cluster_is_away_waits_for_it_once() -> None:
    async def main(tables: _Tables) -> None:
        tables.owners = cut_off = _CutOff(clock=lambda: Clock()().timestamp())
        task, stopped = tables.start("w1", [f"target.{number}" for number in range(1000)])
        await asyncio.sleep(SETTLED_S)
        cut_off.is_cut = True
        stopped.set()
        before_s = asyncio.get_running_loop().time()
        await task
        assert asyncio.get_running_loop().time() - before_s <= 20

    _run(main)


def test_what_could_not_be_given_back_is_once_the_cluster_is_there_again() -> None:
    async def main(tables: _Tables) -> None:
        tables.owners = cut_off = _CutOff(clock=lambda: Clock()().timestamp())
        tables.start("w1")
        await asyncio.sleep(SETTLED_S)
        cut_off.is_cut = True
        tables.start("w2")
        await asyncio.sleep(5 * LEASE_S)
        cut_off.is_cut = False
        await asyncio.sleep(5 * LEASE_S)
        assert tables.of("w2") == share_of("w2", ITEMS, ["w1", "w2"])
        assert tables.of("w1") == share_of("w1", ITEMS, ["w1", "w2"])

    _run(main)
