"""What is promised of a node's knowledge: of an org that one machine serves, and of one that a fleet does."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from support.virtual_time import run_virtually
from tocsin.journal import Entry, JournalError, MemoryJournal
from tocsin.org.freshness import ANSWER_WITHIN_S, FleetFreshness, Freshness, OwnFreshness, Unconfirmed
from tocsin.org.projector import Projector


class Seen:
    """A projection that remembers how far it is."""

    def __init__(self) -> None:
        self.seq = 0

    def cursor(self) -> int:
        return self.seq

    def apply(self, entries: Sequence[Entry]) -> None:
        self.seq = max(self.seq, entries[-1].seq)


class Cluster(MemoryJournal):
    """Counts what it is asked; may take its time, refuse, or not answer at all."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.takes_s = 0.0
        self.fault: JournalError | None = None

    async def last(self, topic: str | None = None) -> int:
        self.asked += topic is not None
        await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        return await super().last(topic)


@pytest.fixture
async def journal() -> AsyncIterator[MemoryJournal]:
    journal = MemoryJournal()
    yield journal
    await journal.close()


@pytest.mark.parametrize("kind", [OwnFreshness, FleetFreshness])
async def test_who_was_not_known_is_once_it_was_acknowledged(journal: MemoryJournal, kind: type) -> None:
    seen = Seen()
    projector = Projector(journal, [seen])
    freshness: Freshness = kind(*([journal] if kind is FleetFreshness else []), projector)
    assert freshness.reachable
    seq = await journal.append("directory.token", b"made elsewhere")
    await freshness.confirm()
    await freshness.look_again()
    assert seen.seq == seq
    await projector.close()


async def test_a_node_of_a_fleet_knows_what_was_acknowledged_before_it_was_asked(journal: MemoryJournal) -> None:
    seen = Seen()
    projector = Projector(journal, [seen])
    freshness = FleetFreshness(journal, projector)

    async def revoke_and_ask() -> None:
        seq = await journal.append("directory.token", b"revoked elsewhere")
        await freshness.confirm()
        assert seen.seq >= seq

    await asyncio.gather(*(revoke_and_ask() for _ in range(50)))
    await journal.append("risk.p", b"no matter")
    await freshness.confirm()
    assert seen.seq == 50
    await projector.close()


def test_those_that_come_together_share_a_question_and_none_one_that_had_begun() -> None:
    async def main() -> None:
        cluster, seen = Cluster(), Seen()
        cluster.takes_s = 0.1
        projector = Projector(cluster, [seen])
        freshness = FleetFreshness(cluster, projector)
        await asyncio.gather(*(freshness.confirm() for _ in range(100)))
        assert cluster.asked == 1
        early = asyncio.create_task(freshness.confirm())
        await asyncio.sleep(0.05)
        seq = await cluster.append("directory.token", b"revoked while it is asked")
        late = [asyncio.create_task(freshness.confirm()) for _ in range(100)]
        await early
        await asyncio.gather(*late)
        assert (cluster.asked, seen.seq) == (3, seq)
        await freshness.close()
        await projector.close()

    run_virtually(main)


@pytest.mark.parametrize("is_silent", [True, False])
def test_while_nobody_answers_nobody_waits_and_it_is_found_out_when_that_ends(is_silent: bool) -> None:
    async def main() -> None:
        cluster, now = Cluster(), asyncio.get_running_loop().time
        projector = Projector(cluster, [Seen()])
        freshness = FleetFreshness(cluster, projector)
        cluster.takes_s, cluster.fault = (1e6, None) if is_silent else (0.0, JournalError("no quorum"))
        with capture_logs() as logs:
            waiting = [freshness.confirm(or_local=number % 2 == 1) for number in range(10)]
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(end) for end in ends] == [Unconfirmed, type(None)] * 5
            assert (cluster.asked, freshness.reachable) == (1, False)
            assert now() <= ANSWER_WITHIN_S
            down_at = now()
            for _ in range(200):
                before = now()
                await freshness.confirm(or_local=True)
                with pytest.raises(Unconfirmed):
                    await freshness.confirm()
                with pytest.raises(Unconfirmed):
                    await freshness.look_again()
                assert now() == before
                await asyncio.sleep(0.05)
            assert 3 <= cluster.asked <= 2 + now() - down_at
            cluster.takes_s, cluster.fault = 0.0, None
            for _ in range(80):
                await freshness.confirm(or_local=True)
                await asyncio.sleep(0.05)
            assert freshness.reachable
            await freshness.confirm()
        assert [log["event"] for log in logs] == ["journal.unreachable", "journal.reachable"]
        await freshness.close()
        await projector.close()

    run_virtually(main)


def test_a_node_that_is_far_behind_says_so_and_lets_nobody_in() -> None:
    class Slow(Cluster):
        async def read(self, after: int = 0, *, limit: int = 256) -> list[Entry]:
            await asyncio.sleep(1e6)
            return await super().read(after, limit=limit)

    async def main() -> None:
        cluster = Slow()
        projector = Projector(cluster, [Seen()])
        freshness = FleetFreshness(cluster, projector)
        await cluster.append("directory.token", b"revoked")
        with pytest.raises(JournalError, match="behind"):
            await freshness.confirm(or_local=True)
        assert freshness.reachable
        await freshness.close()
        await projector.close()

    run_virtually(main)
