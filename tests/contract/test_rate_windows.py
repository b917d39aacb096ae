"""What all rate windows promise, kept by one process or by a fleet."""

import asyncio
import math

import pytest

from tocsin.journal import MemoryKeyValue
from tocsin.org.rate_limit import Grant, MemoryWindows, Windows
from tocsin.org.shared.windows import LIFE_S, SharedWindows

T0 = 1_770_000_000.25
Nodes = tuple[Windows, ...]


@pytest.fixture(params=["own", "fleet"])
def nodes(request: pytest.FixtureRequest) -> Nodes:
    """Who may be asked, in any order: one process, or four nodes."""
    if request.param == "own":
        return (MemoryWindows(),)
    table = MemoryKeyValue(clock=lambda: T0, life_s=LIFE_S)
    return tuple(SharedWindows(table, "acme") for _ in range(4))


async def ask(nodes: Nodes, count: int, *, limit: int, share: int | None = None, **at: float) -> list[Grant]:
    """`count` requests of one principal at once, at the nodes in turn; `at` is their time for each by number."""
    asked = (
        nodes[n % len(nodes)].take("events", "p", limit=limit, share=share or limit, clock=lambda: at.get("now", T0))
        for n in range(count)
    )
    return await asyncio.gather(*asked)


@pytest.mark.parametrize("limit", [1, 3, 30])
async def test_no_window_takes_one_more_than_its_limit(nodes: Nodes, limit: int) -> None:
    for minute in range(3):
        now = T0 + 60 * minute
        grants = await ask(nodes, limit + 20, limit=limit, now=now)
        assert sum(grant.allowed for grant in grants) == limit
        assert sorted(grant.remaining for grant in grants if grant.allowed) == list(range(limit))
        assert {grant.reset for grant in grants} == {math.ceil(now + 60)}
        assert sum(grant.first_refusal for grant in grants) == 1
        late = await ask(nodes, 8, limit=limit, now=now + 59.999)
        assert not any(grant.allowed or grant.first_refusal for grant in late)


async def test_a_share_binds_its_principal_alone(nodes: Nodes) -> None:
    assert sum(grant.allowed for grant in await ask(nodes, 12, limit=8, share=5)) == 5
    others = [await nodes[n % len(nodes)].take("events", "q", limit=8, share=5, clock=lambda: T0) for n in range(5)]
    assert [(grant.allowed, grant.limit, grant.remaining) for grant in others] == [
        (True, 8, 2),
        (True, 8, 1),
        (True, 8, 0),
        (False, 8, 0),
        (False, 8, 0),
    ]


async def test_buckets_do_not_know_each_other(nodes: Nodes) -> None:
    await ask(nodes, 2, limit=1)
    assert (await nodes[0].take("logs", "p", limit=1, share=1, clock=lambda: T0)).allowed


async def test_a_clock_that_is_a_little_behind_opens_no_second_window(nodes: Nodes) -> None:
    (first,) = await ask(nodes, 1, limit=3)
    behind = await ask(nodes[::-1], 5, limit=3, now=T0 - 0.5)
    assert sum(grant.allowed for grant in behind) == 2
    assert {grant.reset for grant in behind} == {first.reset}


async def test_large_limits_are_kept_too(nodes: Nodes) -> None:
    limit = 5000
    given = 0
    for _ in range(13):
        given += sum(grant.allowed for grant in await ask(nodes, 400, limit=limit))
    assert limit - len(nodes) * limit // 1000 <= given <= limit
    assert sum(grant.allowed for grant in await ask(nodes, 400, limit=limit, now=T0 + 60)) == 400
