"""Until when a leader is known to be the only one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from tocsin.journal import JournalUnreachable
from tocsin.journal.jetstream import JetStreamJournal, JetStreamKeyValue
from tocsin.journal.jetstream.asking import Patience, Refused
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.key_value import LOOK_AGAIN_S
from tocsin.journal.jetstream.leading import LEASE_S, Leading, leads_until
from tocsin.journal.jetstream.stream import NO_MESSAGE

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("heard_s", "ago_s"),
    [
        ([], 0.0),  # alone: there is nobody to elect another
        ([0.25], 0.25),
        ([0.5, 90.0], 0.5),  # one of two is enough for a majority with it
        ([90.0, 8.0], 8.0),
        ([0.5, 2.0, 90.0, 90.0], 2.0),  # of five, two are needed
    ],
)
def test_a_leader_is_sure_for_a_while_after_it_heard_of_a_majority(heard_s: list[float], ago_s: float) -> None:
    replicas = [{"name": str(n), "active": int(heard * SECOND)} for n, heard in enumerate(heard_s)]
    assert leads_until({"cluster": {"replicas": replicas}}, 1000.0) == pytest.approx(1000.0 + LEASE_S - ago_s)


def test_a_server_without_a_cluster_leads() -> None:
    assert leads_until({}, 1000.0) == 1000.0 + LEASE_S


class FakeLeader:
    """A connection to one that has just heard of all its followers."""

    def __init__(self) -> None:
        self.asked = 0

    def patience(self) -> Patience:
        return Patience(0.5)

    async def api(self, _operation: str) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        return {}


async def answer() -> str:
    return "so it is"


async def test_all_who_ask_at_once_are_answered_by_one_question() -> None:
    leader, now_s = FakeLeader(), 1000.0
    leading = Leading(cast("JetStreamConnection", leader), "TOCSIN", lambda: now_s)
    for asked in (1, 2):
        assert await asyncio.gather(*(leading.told(answer) for _ in range(50))) == ["so it is"] * 50
        await leading.told(answer)
        assert leader.asked == asked
        now_s += LEASE_S


async def test_what_came_when_another_may_have_been_elected_is_asked_again() -> None:
    leader, now_s, answered = FakeLeader(), 1000.0, 0

    async def slowly_at_first() -> int:
        nonlocal now_s, answered
        answered += 1
        now_s += LEASE_S if answered == 1 else 0.0
        return answered

    leading = Leading(cast("JetStreamConnection", leader), "TOCSIN", lambda: now_s)
    assert await leading.told(slowly_at_first) == 2
    assert leader.asked == 2


async def test_one_whose_answers_all_come_too_late_is_given_up() -> None:
    now_s = 1000.0

    async def slowly() -> str:
        nonlocal now_s
        now_s += LEASE_S
        return "late"

    leading = Leading(cast("JetStreamConnection", FakeLeader()), "TOCSIN", lambda: now_s)
    with pytest.raises(JournalUnreachable, match="too slowly"):
        await leading.told(slowly)


class Slow(FakeLeader):
    """Holds a table of many pages, and takes nearly as long for each as a leader is sure for."""

    def __init__(self, pages: int) -> None:
        super().__init__()
        self.batches, self.pages, self.now_s, self.told = self, pages, 1000.0, 0

    def leading(self, stream: str) -> Leading:
        return Leading(cast("JetStreamConnection", self), stream, lambda: self.now_s)

    async def next(self, _stream: str, subject: str, first: int, *, most: int) -> list[Stored]:
        self.told += 1
        self.now_s += 0.9 * LEASE_S
        pages = [
            [Stored(seq, f"$KV.table.k{seq}", b"v", {}, "2026-01-01T00:00:00Z") for seq in (2 * n + 1, 2 * n + 2)]
            for n in range(self.pages)
        ]
        return next((page for page in pages if page[0].seq >= first), [])

    async def api(self, operation: str, _question: object = None) -> dict[str, Any]:
        if "INFO" in operation:
            return {}
        raise Refused({"err_code": NO_MESSAGE})


async def test_a_table_that_is_read_for_longer_than_a_leader_is_sure_is_read_once() -> None:
    leader = Slow(pages=5)
    assert len(await JetStreamKeyValue(cast("JetStreamConnection", leader), "table", LOOK_AGAIN_S).all()) == 10
    assert leader.told == 6


class CutOff(FakeLeader):
    """A connection to a leader that answers, and has heard of no follower for long."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = self

    def leading(self, stream: str) -> Leading:
        return Leading(cast("JetStreamConnection", self), stream)

    def patience(self) -> Patience:
        return Patience(0.0)

    async def leave(self) -> None:
        """There is no other server."""

    async def next(self, *_what: object, most: int) -> list[object]:
        return []

    async def api(self, operation: str, _question: object = None) -> dict[str, Any]:
        if "INFO" in operation:
            return {"cluster": {"replicas": [{"active": 90 * SECOND}, {"active": 90 * SECOND}]}}
        raise Refused({"err_code": NO_MESSAGE})


@pytest.mark.parametrize("ask", ["last", "get", "all"])
async def test_one_that_is_cut_off_is_not_believed(ask: str) -> None:
    servers = cast("JetStreamConnection", CutOff())
    journal = JetStreamJournal(servers, "acme", "TOCSIN", LOOK_AGAIN_S)
    table = JetStreamKeyValue(servers, "table", LOOK_AGAIN_S)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "last": journal.last,
        "get": lambda: table.get("k"),
        "all": table.all,
    }
    with pytest.raises(JournalUnreachable, match="cut off"):
        await asked[ask]()
