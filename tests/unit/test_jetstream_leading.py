"""Until when a leader is known to be the only one."""

import asyncio
from typing import Any, cast

import pytest

from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.leading import LEASE_S, Leading, leads_until

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

    def patience(self) -> None:
        """Nothing is asked twice."""

    async def api(self, _operation: str) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        return {}


async def test_all_who_ask_at_once_are_answered_by_one_question() -> None:
    leader, now_s = FakeLeader(), 1000.0
    leading = Leading(cast("JetStreamConnection", leader), "TOCSIN", lambda: now_s)
    for asked in (1, 2):
        await asyncio.gather(*(leading.ensure() for _ in range(50)))
        await leading.ensure()
        assert leader.asked == asked
        assert leading.is_sure
        now_s += LEASE_S
        assert not leading.is_sure
