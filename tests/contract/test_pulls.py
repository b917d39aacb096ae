"""What is promised of the bouncers' positions, known to one machine or to a fleet."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tocsin.journal import JournalError, Kept, MemoryJournal, MemoryKeyValue
from tocsin.org.crowdsec.feed import Feed, Pull
from tocsin.org.crowdsec.pulls import FeedPulls
from tocsin.org.projector import Projector
from tocsin.org.shared.pulls import SharedPulls
from tocsin.org.stores import Pulls


@asynccontextmanager
async def own(tmp_path: Path) -> AsyncIterator[Pulls]:
    feed = Feed(tmp_path / "feed.db")
    projector = Projector(MemoryJournal(), [feed])
    yield FeedPulls(feed, projector)
    await projector.close()
    feed.close()


@asynccontextmanager
async def fleet(table: MemoryKeyValue) -> AsyncIterator[Pulls]:
    yield SharedPulls(table, "acme")


@pytest.fixture(params=["own", "fleet"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Opens it; what was noted before is there again."""
    table = MemoryKeyValue(clock=lambda: 0.0)
    return (lambda: own(tmp_path)) if request.param == "own" else (lambda: fleet(table))


async def test_a_position_is_known_after_a_restart(opened: Callable[[], Any]) -> None:
    async with opened() as pulls:
        assert await pulls.of("bncA") is None
        await pulls.note("bncA", Pull(5, 1000))
        await pulls.note("bncB", Pull(6, 1001))
        await pulls.note("bncA", Pull(7, 1002))
        assert await pulls.of("bncA") == Pull(7, 1002)
    async with opened() as pulls:
        assert (await pulls.of("bncA"), await pulls.of("bncB")) == (Pull(7, 1002), Pull(6, 1001))


class Broken(MemoryKeyValue):
    """Cannot be reached while `down`."""

    down = False

    async def get(self, key: str) -> Kept | None:
        if self.down:
            raise JournalError("no quorum")
        return await super().get(key)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        if self.down:
            raise JournalError("no quorum")
        return await super().put(key, value, revision=revision)


async def test_what_a_node_told_and_could_not_note_it_tells_once_more() -> None:
    table = Broken(clock=lambda: 0.0)
    one, other = SharedPulls(table, "acme"), SharedPulls(table, "acme")
    await one.note("bncA", Pull(90, 1000))
    await other.note("bncA", Pull(100, 2000))
    table.down = True
    with pytest.raises(JournalError):
        await one.of("bncA")
    with pytest.raises(JournalError):
        await one.note("bncA", Pull(95, 3000))
    table.down = False
    assert await one.of("bncA") == Pull(95, 2000)  # what it told as new may have been deleted at 96
    await one.note("bncA", Pull(101, 4000))
    assert await one.of("bncA") == await other.of("bncA") == Pull(101, 4000)
