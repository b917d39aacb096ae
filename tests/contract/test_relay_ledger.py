"""What the ledger of a target in a fleet promises, over every journal that it may be kept in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from support.jetstream import jetstream
from tocsin.journal import Journal, JournalError, JournalUnreachable, MemoryJournal
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.journal.jetstream.declared import StreamDeclared, make
from tocsin.relay.errors import LeaseLost
from tocsin.relay.fleet import Holding
from tocsin.relay.fleet.fenced import FencedTopic
from tocsin.relay.fleet.ledger import TOPIC, FleetLedger
from tocsin.relay.fleet.turns import Turns
from tocsin.relay.ledger import Answered, Intent, Ledger, NoLedger, Outcome, Page, Spent, Told
from tocsin.wall_clock import utc_now

SPENT = Spent(30, 29, 1000)
INTENT = Intent(Told(7, {b"\1" * 16: (3, 9)}), SPENT)
ANSWERED = Answered(Outcome.DELIVERED, SPENT)


class _LosesAcks:
    """A journal on a bad net: the next `lost` appends are written, and who asked for them hears of a failure."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self.lost = journal, 0

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        seq = await self._journal.append(topic, body, expect_last=expect_last)
        if self.lost:
            self.lost -= 1
            raise JournalUnreachable("an append", seconds=10, why="no acknowledgement came")
        return seq

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)


@pytest.fixture(params=["memory", pytest.param("jetstream", marks=pytest.mark.slow)])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    async with jetstream(request.getfixturevalue("nats_cluster")) as connection:
        name = uuid4().hex
        await make(connection, [StreamDeclared(name=name, subjects=(f"tocsin.told-{name}.>",))])
        kept = await JetStreamJournal.open(connection, "acme", stream=name, root=f"tocsin.told-{name}")
        yield kept
        await kept.close()
        await connection.api(f"STREAM.DELETE.{name}")


def _ledger(journal: object, by: str, *, holds: Callable[[], bool] = lambda: True) -> Ledger:
    ready = asyncio.Event()
    ready.set()
    holding = Holding("target.acme", by=by, holds=holds)
    return FleetLedger(FencedTopic(journal, TOPIC, holding, clock=utc_now), ready=ready.wait, turns=Turns(1))  # type: ignore[arg-type]


async def _begun(ledger: Ledger, known: int = 0) -> list[Page]:
    return [page async for page in ledger.begin(known)]


async def test_the_next_owner_reads_what_the_last_one_wrote_from_where_it_knows_it(journal: Journal) -> None:
    first = _ledger(journal, "a/1")
    assert [page.entries for page in await _begun(first) if page.entries] == []
    intent = await first.intends(INTENT)
    answer = await first.answered(ANSWERED)
    assert answer > intent > 0
    assert [one for page in await _begun(_ledger(journal, "b/1")) for one in page.entries] == [INTENT, ANSWERED]
    assert [one for page in await _begun(_ledger(journal, "c/1"), intent) for one in page.entries] == [ANSWERED]
    of_another_stream = 10**6
    assert len([one for page in await _begun(_ledger(journal, "d/1"), of_another_stream) for one in page.entries]) == 2


async def test_who_was_followed_by_another_writes_nothing(journal: Journal) -> None:
    old, new = _ledger(journal, "a/1"), _ledger(journal, "a/2")
    await _begun(old)
    await old.intends(INTENT)
    await _begun(new)
    for late in (old.intends(INTENT), old.answered(ANSWERED)):
        with pytest.raises(LeaseLost, match=r"target\.acme is another worker's now"):
            await late
    await new.intends(INTENT)
    assert [one for page in await _begun(_ledger(journal, "c/1")) for one in page.entries] == [INTENT, INTENT]


async def test_when_the_lease_has_ended_an_answer_is_still_written_and_no_intent(journal: Journal) -> None:
    held = [True]
    ledger = _ledger(journal, "a/1", holds=lambda: held[0])
    await _begun(ledger)
    await ledger.intends(INTENT)
    held[0] = False
    await ledger.answered(ANSWERED)
    with pytest.raises(LeaseLost, match=r"the lease on target\.acme has ended"):
        await ledger.intends(INTENT)
    assert [one for page in await _begun(_ledger(journal, "b/1")) for one in page.entries] == [INTENT, ANSWERED]


async def test_an_entry_whose_acknowledgement_was_lost_stands_there_once(journal: Journal) -> None:
    net = _LosesAcks(journal)
    ledger = _ledger(net, "a/1")
    await _begun(ledger)
    net.lost = 1
    await ledger.intends(INTENT)
    await ledger.answered(ANSWERED)
    assert [one for page in await _begun(_ledger(journal, "b/1")) for one in page.entries] == [INTENT, ANSWERED]


class _Refuses(MemoryJournal):
    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        raise JournalError("the stream refuses: maximum bytes exceeded")


async def test_what_no_waiting_mends_is_said_and_not_tried_for_ever() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(JournalError, match="maximum bytes"):
            await _begun(_ledger(_Refuses(), "a/1"))


async def test_on_one_machine_there_is_nothing_to_learn_and_nothing_to_wait_for() -> None:
    ledger = NoLedger()
    assert await _begun(ledger, 7) == []
    assert (await ledger.intends(INTENT), await ledger.answered(ANSWERED)) == (0, 0)
