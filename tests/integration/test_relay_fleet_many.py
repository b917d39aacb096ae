"""
Ten thousand targets over four workers on a real cluster, with engines that do nothing: who has what, and what moves.

Takes minutes, so TOCSIN_SOAK_ROUNDS asks for it; docs/fleet-relay.md tells what it said. `-s` shows the figures.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from support.relay_fleet import Quiet
from tocsin.journal.jetstream import JetStreamConnection, JetStreamSettings
from tocsin.journal.jetstream.declared import make, stream_of
from tocsin.relay.fleet import FleetConfig, Holding, Worker, owner_of
from tocsin.relay.fleet.declared import OWNERS_BUCKET, WORKERS_BUCKET, declared
from tocsin.relay.fleet.membership import Owner, owned, present
from tocsin.relay.fleet.opening import open_stores

ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "0"))
TARGETS = 10_000
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not ROUNDS, reason="it is for TOCSIN_SOAK_ROUNDS")]
FLEET = FleetConfig()
ITEMS = [f"target.org-{number}" for number in range(TARGETS)]
ENDS_WITHIN_S = 600.0


class _Fleet:
    """Workers in this process, each with a connection of its own."""

    def __init__(self, cluster: NatsCluster, stack: AsyncExitStack, connection: JetStreamConnection) -> None:
        self._cluster, self._stack, self._connection = cluster, stack, connection
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.logs: dict[str, Quiet] = {}
        self.serve: Counter[str] = Counter()
        self.twice: list[str] = []
        self.last_began_s = 0.0

    async def start(self, name: str) -> None:
        settings = JetStreamSettings(servers=tuple(self._cluster.urls))
        stores = await self._stack.enter_async_context(open_stores(settings, FLEET))
        self._stores = getattr(self, "_stores", stores)

        async def hold(holding: Holding) -> None:
            self.last_began_s = time.monotonic()
            self.serve[holding.item] += 1
            if self.serve[holding.item] > 1:
                self.twice.append(holding.item)
            try:
                await holding.leaving.wait()
            finally:
                self.serve[holding.item] -= 1

        self.logs[name] = Quiet()
        worker = Worker(
            name,
            dict.fromkeys(ITEMS, hold),
            workers=stores.workers,
            owners=stores.owners,
            timing=FLEET.timing,
            monotonic_s=time.monotonic,
            log=self.logs[name],
        )
        self.tasks[name] = asyncio.create_task(worker.serve(asyncio.Event()))

    async def kill(self, name: str) -> None:
        """It says nothing to anyone."""
        task = self.tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def balanced(self) -> dict[str, tuple[Owner, int]]:
        """Who has what, once each has what falls to it."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        should = {item: owner_of(item, self.tasks) for item in ITEMS}
        while time.monotonic() < deadline:
            await asyncio.sleep(1)
            if {one.worker for one in present(await self._stores.workers.all())} != self.tasks.keys():
                continue
            found = owned(await self._stores.owners.all())
            if {item: owner.worker for item, (owner, _) in found.items()} == should:
                return found
        raise AssertionError([(name, log.said[-3:]) for name, log in self.logs.items()])

    def odd(self) -> str:
        """What workers have said beside what they take and leave, since this was last asked."""
        said = Counter(event for log in self.logs.values() for event, _ in log.said)
        for log in self.logs.values():
            log.said.clear()
        return ", ".join(f"{event} {said[event]}" for event in sorted(said))

    async def messages(self) -> int:
        """Written to the two tables so far."""
        states = [
            (await self._connection.api(f"STREAM.INFO.{stream_of(bucket)}"))["state"]
            for bucket in (WORKERS_BUCKET, OWNERS_BUCKET)
        ]
        return sum(int(state["last_seq"]) for state in states)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[_Fleet]:
    with NatsCluster(tmp_path / "nats") as cluster:
        async with AsyncExitStack() as stack, jetstream(cluster) as connection:
            await make(connection, declared(FLEET.lease_s))
            fleet = _Fleet(cluster, stack, connection)
            yield fleet
            for name in list(fleet.tasks):
                await fleet.kill(name)


async def test_ten_thousand_targets_are_balanced_and_only_what_must_move_moves(fleet: _Fleet) -> None:
    async def settles(what: str, change: Callable[[], Any]) -> dict[str, tuple[Owner, int]]:
        before_s, written = time.monotonic(), await fleet.messages()
        await change()
        found = await fleet.balanced()
        took_s = fleet.last_began_s - before_s
        written = await fleet.messages() - written
        has = Counter(owner.worker for owner, _ in found.values())
        print(
            f"\n{what}: {took_s:.0f} s, {written:,} messages ({written / took_s:,.0f}/s); {dict(sorted(has.items()))}"
        )
        print(f"  {fleet.odd()}, load {os.getloadavg()[0]:.1f}")
        assert max(has.values()) <= 1.1 * TARGETS / len(fleet.tasks)
        assert min(has.values()) >= 0.9 * TARGETS / len(fleet.tasks)
        return found

    async def all_start() -> None:
        await asyncio.gather(*(fleet.start(f"w{number}") for number in range(4)))

    found = await settles("four workers start", all_start)
    for round_ in range(ROUNDS):
        before, joins = found, f"w{4 + round_}"
        found = await settles(f"{joins} joins", partial(fleet.start, joins))
        moved = {item for item in ITEMS if found[item] != before[item]}
        assert moved == {item for item, (owner, _) in found.items() if owner.worker == joins}
        before, dies = found, f"w{round_}"
        found = await settles(f"{dies} is killed", partial(fleet.kill, dies))
        moved = {item for item in ITEMS if found[item] != before[item]}
        assert moved == {item for item, (owner, _) in before.items() if owner.worker == dies}
    written, idle_s = await fleet.messages(), 30
    await asyncio.sleep(idle_s)
    print(f"nothing happens: {(await fleet.messages() - written) / idle_s:.1f} messages/s")
    assert fleet.twice == []
