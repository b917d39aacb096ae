"""Who is applied what, in which order, and what happens when one of them cannot go on."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from tocsin.journal import Entry, JournalError, MemoryJournal
from tocsin.org.errors import OrgError
from tocsin.org.projector import JournalTooOld, Projector

SOON_S = 10.0


class Shelf:
    """A projection that keeps the seqs it was given, and notes when in a list that it shares with others."""

    def __init__(self, name: str, applied: list[tuple[str, int]], *, cursor: int = 0) -> None:
        self.name, self.applied, self._cursor = name, applied, cursor
        self.broken = False

    def cursor(self) -> int:
        return self._cursor

    def apply(self, entries: Sequence[Entry]) -> None:
        if self.broken:
            raise OrgError("broken")
        self.applied += [(self.name, entry.seq) for entry in entries]
        self._cursor = entries[-1].seq


async def journal_of(count: int) -> MemoryJournal:
    journal = MemoryJournal()
    for number in range(count):
        await journal.append("a", b"%d" % number)
    return journal


async def test_no_entry_reaches_one_before_those_that_stand_before_it() -> None:
    applied: list[tuple[str, int]] = []
    journal = await journal_of(200)
    projector = Projector(journal, [Shelf(name, applied) for name in "abc"])
    running = asyncio.create_task(projector.run())
    for number in range(200):
        await journal.append("a", b"%d" % number)
    assert await projector.wait_for(400, at_most_s=SOON_S)
    for name in "abc":
        assert [seq for shelf, seq in applied if shelf == name] == list(range(1, 401))
    places = {entry: place for place, entry in enumerate(applied)}
    assert all(places["a", seq] < places["b", seq] < places["c", seq] for seq in range(1, 401))
    await journal.close()
    await running
    await projector.close()


async def test_one_that_cannot_go_on_holds_up_those_after_it_and_none_before() -> None:
    applied: list[tuple[str, int]] = []
    journal, shelves = await journal_of(3), [Shelf(name, applied) for name in "abc"]
    shelves[1].broken = True
    projector = Projector(journal, shelves)
    with capture_logs() as logs:
        running = asyncio.create_task(projector.run())
        await journal.append("a", b"")
        await projector.catch_up_first()
        assert not await projector.wait_for(1, at_most_s=0.1)
        assert [shelf.cursor() for shelf in shelves] == [4, 0, 0]
        assert logs[0]["event"] == "projection.stuck"
        shelves[1].broken = False
        assert await projector.wait_for(4, at_most_s=SOON_S)
    running.cancel()
    await projector.close()


async def test_who_catches_up_with_what_was_taken_away_ends() -> None:
    journal, shelf = await journal_of(3), Shelf("a", [])
    projector = Projector(journal, [shelf])
    async with asyncio.timeout(SOON_S):
        with pytest.raises(JournalError, match="entry 9 is gone"):
            await projector.catch_up_first(9)
        assert shelf.cursor() == 3
        await journal.append("b.c", b"")
        await journal.append("b.c", b"")
        await journal.forget("b.", 5)
        await projector.catch_up_first(4)
        assert shelf.cursor() == 3
    await projector.close()


async def test_to_catch_up_is_to_have_applied_all_in_order_or_to_fail() -> None:
    applied: list[tuple[str, int]] = []
    journal, shelves = await journal_of(100), [Shelf(name, applied) for name in "ab"]
    projector = Projector(journal, shelves)
    await projector.catch_up_first()
    assert [shelf.cursor() for shelf in shelves] == [100, 0]
    await projector.catch_up()
    assert projector.applied == 100
    await journal.append("a", b"")
    shelves[1].broken = True
    with pytest.raises(OrgError, match="broken"):
        await projector.catch_up()
    assert projector.applied == 100
    await projector.close()


async def test_what_another_process_applies_is_heard_of() -> None:
    applied: list[tuple[str, int]] = []
    journal = await journal_of(5)
    projector = Projector(journal, [Shelf(name, applied) for name in "ab"])
    running = asyncio.create_task(projector.run(only_first=True))
    waiting = asyncio.create_task(projector.wait_for(5, at_most_s=SOON_S))
    projector.heard(4)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    projector.heard(5)
    projector.heard(3)
    assert await waiting
    assert {name for name, _ in applied} == {"a"}
    running.cancel()
    await projector.close()


async def test_a_journal_that_ends_before_what_was_applied_is_refused() -> None:
    journal = await journal_of(3)
    projector = Projector(journal, [Shelf("a", []), Shelf("b", [], cursor=4)])
    with pytest.raises(JournalTooOld, match="ends with entry 3, and entries up to 4") as caught:
        await projector.catch_up()
    assert "tocsin rebuild" in str(caught.value.hint)
    await projector.catch_up_first()
    await projector.close()
