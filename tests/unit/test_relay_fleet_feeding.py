"""How the engines of one worker share a stream: what is read once, who works when, and how much of it is in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from support.fake_org import FakeOrg, address
from support.relay_fleet import Fleet
from support.virtual_time import T0, run_virtually
from tocsin.journal import Entry, MemoryJournal
from tocsin.journal.protocol import READ_LIMIT
from tocsin.relay.fleet import Detector, Holding, SharedStream
from tocsin.relay.fleet.detector import SourceDoor
from tocsin.relay.fleet.feeding import PAGE_ENTRIES, RECENT_BYTES
from tocsin.relay.fleet.fenced import opened
from tocsin.relay.fleet.turns import TURNS_AT_ONCE, Turns
from tocsin.signals import Batch, RiskLevel, Signal


async def test_entries_are_dated_when_they_are_written() -> None:
    """The stream is trimmed by these times, and by looking for one among them as if they stood in order."""
    journal, passed = MemoryJournal(), count()
    detector = Detector(journal, clock=lambda: T0 + timedelta(seconds=next(passed)), life=timedelta(days=7))
    claims = [
        Signal(address(number), RiskLevel.HIGH, T0, T0 + timedelta(days=1), "seen", "a") for number in range(2500)
    ]
    await detector.put(claims)
    times = [opened(entry).at_ms for entry in await journal.read()]
    assert len(times) == 3
    assert times == sorted(set(times))


class _Counting(MemoryJournal):
    """Knows who reads from it, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: set[int] = set()
        self._now = self.most_at_once = 0

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        if limit == PAGE_ENTRIES:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            await asyncio.sleep(0.1)
            self._now -= 1
        self.limits.add(limit)
        return await super().read(after, limit=limit)


async def _streaming(journal: MemoryJournal) -> tuple[SharedStream, asyncio.Task[None]]:
    stream = SharedStream(journal, Turns(1))
    task = asyncio.create_task(stream.run(warn=lambda _: None))
    for _ in range(20):
        await asyncio.sleep(0)
    return stream, task


async def test_a_page_is_what_follows_wherever_one_stands() -> None:
    journal = MemoryJournal()
    for number in range(5):
        await journal.append("signals.a", b"%d" % number)
    stream, task = await _streaming(journal)
    for number in range(5, 50):
        await journal.append("signals.a", b"%d" % number)
    for _ in range(200):
        await asyncio.sleep(0)
    for after in range(51):
        seqs = [entry.seq for entry in await stream.page(after)]
        assert seqs == [*range(after + 1, min(after + PAGE_ENTRIES, 50) + 1)]
    task.cancel()


async def test_what_is_kept_of_the_stream_is_bounded_and_the_rest_is_read_again() -> None:
    journal = MemoryJournal()
    await journal.append("signals.a", b"")
    stream, task = await _streaming(journal)
    big = bytes(RECENT_BYTES // 20)
    for _ in range(100):
        await journal.append("signals.a", big)
        await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0)
    assert sum(len(entry.body) for entry in stream._recent) <= RECENT_BYTES
    for after in (0, 50, 79, 80, 81, 100):
        assert [entry.seq for entry in await stream.page(after)][:1] == [after + 1]
    task.cancel()


def test_engines_that_catch_up_take_turns_and_small_pages(tmp_path: Path) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, {f"org-{number}": FakeOrg() for number in range(3 * TURNS_AT_ONCE)})
        fleet.signals = journal = _Counting()
        for number in range(2 * PAGE_ENTRIES + 1):
            claims = [Signal(address(number), RiskLevel.HIGH, T0, T0.replace(day=28), "seen", "a")]
            await fleet.detector.put(claims)
        fleet.start("w1")
        await asyncio.sleep(60)
        assert all(len(org.taken) == 2 * PAGE_ENTRIES + 1 for org in fleet.orgs.values())
        assert journal.most_at_once == TURNS_AT_ONCE
        assert journal.limits - {1, READ_LIMIT} == {PAGE_ENTRIES}
        await fleet.close()

    run_virtually(main)


class _Meanwhile(MemoryJournal):
    """Once a page has been read by who is behind, something else happens."""

    then: Callable[[], Awaitable[object]] | None = None

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        found = await super().read(after, limit=limit)
        if limit == PAGE_ENTRIES and self.then is not None:
            then, self.then = self.then, None
            await then()
        return found


def test_a_list_that_becomes_whole_while_a_worker_catches_up_is_taken_in_to_its_end(tmp_path: Path) -> None:
    """With its end the reading before is forgotten: what the worker has not taken in of that is in this one's rest."""

    async def main() -> None:
        org, rows = FakeOrg(), range(8 * PAGE_ENTRIES)
        fleet = Fleet(tmp_path, {"acme": org})
        fleet.signals = journal = _Meanwhile()
        holding = Holding("source.list", by="reader/1", holds=lambda: True)
        door = SourceDoor(journal, "list", holding, clock=fleet.clock, life=timedelta(days=7))
        await door.begin_reading("list")

        async def read(numbers: range) -> None:
            now = fleet.clock()
            for number in numbers:
                claim = Signal(address(number), RiskLevel.HIGH, now, now + timedelta(days=1), "", "list")
                await door.put(Batch(source="list", claims=[claim], ends_list=number == rows[-1]))

        await read(rows)
        first = fleet.start("w1")
        await asyncio.sleep(60)
        await first.kill()
        await read(rows[:5])
        journal.then = lambda: read(rows[5:])
        fleet.start("w2")
        await asyncio.sleep(60)
        assert org.taken == [(address(number), "HIGH") for number in rows]
        await fleet.close()

    run_virtually(main)


async def _in_order(turns: Turns, left: dict[str, int]) -> list[str]:
    order: list[str] = []

    async def work(name: str) -> None:
        async with turns.turn(left[name]):
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(name) for name in left))
    return order


async def test_who_has_the_least_to_do_comes_first() -> None:
    assert await _in_order(Turns(1), {"first": 9, "much": 7, "none": 0, "little": 1}) == [
        "first",
        "none",
        "little",
        "much",
    ]


@pytest.mark.parametrize("when", ["while it waits", "when its turn has come"])
async def test_who_gives_up_leaves_its_turn_to_the_next(when: str) -> None:
    turns, goes_on = Turns(1), asyncio.Event()

    async def work(until: Callable[[], Awaitable[object]]) -> None:
        async with turns.turn(0):
            await until()

    first = asyncio.ensure_future(work(goes_on.wait))
    gives_up = asyncio.ensure_future(work(goes_on.wait))
    last = asyncio.ensure_future(work(goes_on.wait))
    await asyncio.sleep(0)
    if when == "while it waits":
        gives_up.cancel()
        goes_on.set()
    else:
        goes_on.set()
        await asyncio.wait([first])
        gives_up.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([first, gives_up, last])
        assert gives_up.cancelled() or when != "while it waits"
        async with turns.turn(0):
            """Nobody has it any more."""
