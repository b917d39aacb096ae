"""Four nodes count one window: however their reads and writes interleave, no window takes one more than its limit."""

import asyncio
import os
from functools import partial
from itertools import pairwise
from random import Random

import msgspec
import pytest

from support.far import FarKeyValue, Way
from support.virtual_time import run_virtually
from tocsin.journal import JournalError, JournalUnreachable, MemoryKeyValue
from tocsin.journal.key_value import MAX_VALUE_BYTES
from tocsin.org.freshness import ANSWER_WITHIN_S
from tocsin.org.rate_limit import Grant
from tocsin.org.shared.windows import LIFE_S, MOST_PRINCIPALS, Counted, SharedWindows, decide

NODES = 4
SEEDS = int(os.environ.get("TOCSIN_SOAK_EXAMPLES", "25"))
T0 = 1_770_000_000.0


async def race(
    dice: Random, names: str, *, limit: int, share: int, knocks: int, most_s: float
) -> list[tuple[float, str, Grant]]:
    """Many knock at four nodes whose clocks differ by 20 ms at most, and some answers get lost. Returns: the grants."""
    loop = asyncio.get_running_loop()
    table = MemoryKeyValue(clock=lambda: T0 + loop.time(), life_s=LIFE_S)
    nodes = [
        (SharedWindows(FarKeyValue(table, Way(dice, loses_one_of=20)), "acme"), dice.uniform(-0.01, 0.01))
        for _ in range(NODES)
    ]
    grants: list[tuple[float, str, Grant]] = []

    async def knock() -> None:
        await asyncio.sleep(dice.choice([0.0, dice.random() * most_s, 60 + dice.random() * 0.05]))
        windows, skew = dice.choice(nodes)
        who, now = dice.choice(names), 0.0

        def clock() -> float:
            nonlocal now
            now = T0 + loop.time() + skew
            return now

        try:
            grant = await windows.take("events", who, limit=limit, share=share, clock=clock)
            grants.append((now, who, grant))
        except JournalError:
            return  # not counted for sure, so not let in

    await asyncio.gather(*(knock() for _ in range(knocks)))
    return grants


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 7, 30, 2500])
def test_no_window_takes_one_more_than_its_limit(limit: int) -> None:
    for seed in range(SEEDS):
        dice = Random(seed)
        percent, most_s = dice.choice([10, 50, 100, 100]), dice.choice([0.05, 1.0, 60.0, 150.0])
        share = max(1, limit * percent // 100)
        names = dice.choice(["a", "abc"])
        run = partial(race, dice, names, limit=limit, share=share, knocks=3 * min(limit, 50) + 20, most_s=most_s)
        check(run_virtually(run), limit, share, seed)


def check(grants: list[tuple[float, str, Grant]], limit: int, share: int, seed: int) -> None:
    if share == limit and {who for _, who, _ in grants} == {"a"}:  # whose windows open and close with the org's
        resets = sorted({grant.reset for _, _, grant in grants})
        assert all(later - earlier >= 60 for earlier, later in pairwise(resets)), (seed, resets)
        for reset in resets:
            assert sum(grant.allowed for _, _, grant in grants if grant.reset == reset) <= limit, seed
    # Whatever the headers say: of two windows that follow each other, one more than a minute's length holds no more.
    times = sorted(now for now, _, grant in grants if grant.allowed)
    assert not any(times[n + 2 * limit] - times[n] < 59.9 for n in range(len(times) - 2 * limit)), seed
    for who in "abc":
        own = sorted(now for now, name, grant in grants if grant.allowed and name == who)
        assert not any(own[n + 2 * share] - own[n] < 59.9 for n in range(len(own) - 2 * share)), seed


def test_the_first_refusal_is_told_once_over_all_nodes() -> None:
    async def main(dice: Random) -> None:
        table = MemoryKeyValue(clock=lambda: T0)
        nodes = [SharedWindows(FarKeyValue(table, Way(dice)), "acme") for _ in range(NODES)]
        asked = (dice.choice(nodes).take("events", "a", limit=5, share=5, clock=lambda: T0) for _ in range(40))
        grants = await asyncio.gather(*asked)
        assert (sum(grant.allowed for grant in grants), sum(grant.first_refusal for grant in grants)) == (5, 1)

    for seed in range(SEEDS):
        run_virtually(partial(main, Random(seed)))


class Slow(MemoryKeyValue):
    """Answers after `takes_s`."""

    takes_s = 0.0

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        await asyncio.sleep(self.takes_s)
        return await super().put(key, value, revision=revision)


def virtual() -> float:
    return T0 + asyncio.get_running_loop().time()


def test_a_request_counts_in_the_window_that_is_open_when_its_turn_has_come() -> None:
    async def main() -> None:
        table = Slow(clock=virtual, life_s=LIFE_S)
        table.takes_s = 0.9 * ANSWER_WITHIN_S
        node = SharedWindows(table, "acme")
        asked = (node.take("events", "a", limit=100, share=100, clock=virtual) for _ in range(100))
        grants = await asyncio.gather(*asked)
        assert all(grant.allowed for grant in grants)
        assert [sum(grant.reset < T0 + s for grant in grants) for s in (61, 180)] == [67, 100]

    run_virtually(main)


def test_a_clock_that_is_behind_by_minutes_opens_no_second_window() -> None:
    async def main() -> None:
        table = MemoryKeyValue(clock=virtual)
        nodes = [SharedWindows(table, "acme") for _ in range(3)]
        given = 0
        for _ in range(40):
            for node, behind_s in zip(nodes, (0, 70, 3600), strict=True):
                now = T0 - behind_s
                given += (await node.take("events", "a", limit=30, share=30, clock=partial(float, now))).allowed
        assert given == 30

    run_virtually(main)


def test_nobody_waits_in_line_behind_who_gets_no_answer() -> None:
    async def main() -> None:
        table = Slow(clock=virtual)
        table.takes_s = 1e6
        node = SharedWindows(table, "acme")
        asked = [node.take("events", "a", limit=30, share=30, clock=virtual) for _ in range(75)]
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends} == {JournalUnreachable}
        assert asyncio.get_running_loop().time() <= ANSWER_WITHIN_S
        table.takes_s = 0.0
        assert (await node.take("events", "a", limit=30, share=30, clock=virtual)).allowed

    run_virtually(main)


def test_a_value_has_room_for_so_many_principals_and_no_more_are_let_in() -> None:
    counted = Counted()
    for number in range(MOST_PRINCIPALS):
        counted, grant, _ = decide(counted, f"00T{number:017}", limit=10**9, share=10**9, now=T0)
        assert grant.allowed
    assert len(counted.own) == MOST_PRINCIPALS
    more = decide(counted, "one more", limit=10**9, share=10**9, now=T0 + 59)
    assert (more.counted, more.grant.allowed, more.grant.reset) == (counted, False, int(T0) + 60)
    assert decide(counted, f"00T{0:017}", limit=10**9, share=10**9, now=T0 + 59).grant.allowed
    assert len(decide(counted, "one more", limit=10**9, share=10**9, now=T0 + 60).counted.own) == 1
    assert len(msgspec.msgpack.encode(counted)) < MAX_VALUE_BYTES
