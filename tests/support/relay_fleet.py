"""Relay workers of a fleet in one process, over shared memory, in virtual time: cut off, paused, killed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from support.fake_org import FakeOrg
from support.virtual_time import T0, Clock
from tocsin.journal import Entry, Journal, JournalUnreachable, Kept, KeyValue, MemoryJournal, MemoryKeyValue
from tocsin.journal.protocol import READ_LIMIT
from tocsin.okta import AsyncApiClient, Configuration
from tocsin.relay import BudgetConfig, OktaTarget, RelayConfig, TargetConfig
from tocsin.relay.feeding import Reads
from tocsin.relay.fleet import Detector, FleetConfig, Holding, Serving, SharedStream, Stores, Worker
from tocsin.relay.fleet.fenced import FencedTopic
from tocsin.relay.fleet.ledger import TOPIC, FleetLedger
from tocsin.relay.fleet.turns import TURNS_AT_ONCE, Turns

_T = TypeVar("_T")
LEASE_S = 6.0


class Machine:
    """What happens to the process of one worker: it is paused (SIGSTOP, a hanging disk), or its net is cut."""

    def __init__(self) -> None:
        self._runs = asyncio.Event()
        self._runs.set()
        self._stood_at_s = 0.0
        self.is_cut = self.cluster_is_cut = False

    def pause(self) -> None:
        self._stood_at_s = self.monotonic_s()
        self._runs.clear()

    def resume(self) -> None:
        self._runs.set()

    def monotonic_s(self) -> float:
        """A paused process sees no clock go on."""
        return asyncio.get_running_loop().time() if self._runs.is_set() else self._stood_at_s

    async def over_the_net(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """What a paused process has asked may be done, but it does not hear the answer before it goes on."""
        await self._runs.wait()
        if self.is_cut:
            raise JournalUnreachable("a question", seconds=10, why="no server answers")
        found = await ask()
        await self._runs.wait()
        return found

    async def to_the_cluster(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Which may be out of reach while the orgs are not."""
        if self.cluster_is_cut:
            raise JournalUnreachable("a question", seconds=10, why="no server answers")
        return await self.over_the_net(ask)


class FarJournal:
    """A shared journal, as one machine reaches it. Closing it leaves it open for others."""

    def __init__(self, shared: MemoryJournal, machine: Machine) -> None:
        self._shared, self._machine = shared, machine

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        return await self._machine.to_the_cluster(lambda: self._shared.append(topic, body, expect_last=expect_last))

    async def last(self, topic: str | None = None) -> int:
        return await self._machine.to_the_cluster(lambda: self._shared.last(topic))

    async def get(self, seq: int) -> Entry | None:
        return await self._machine.to_the_cluster(lambda: self._shared.get(seq))

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        return await self._machine.to_the_cluster(lambda: self._shared.read(after, limit=limit))

    async def forget(self, topic: str, before: int) -> int:
        return await self._machine.to_the_cluster(lambda: self._shared.forget(topic, before))

    async def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        async for entries in self._shared.follow(after):
            yield await self._machine.to_the_cluster(lambda entries=entries: _given(entries))  # type: ignore[misc]

    def look(self) -> None:
        self._shared.look()

    async def close(self) -> None:
        """It is shared."""


class FarTable:
    """A shared table, as one machine reaches it."""

    def __init__(self, shared: MemoryKeyValue, machine: Machine) -> None:
        self._shared, self._machine = shared, machine

    async def get(self, key: str) -> Kept | None:
        return await self._machine.to_the_cluster(lambda: self._shared.get(key))

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        return await self._machine.to_the_cluster(lambda: self._shared.put(key, value, revision=revision))

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        await self._machine.to_the_cluster(lambda: self._shared.delete(key, revision=revision))

    async def all(self, branch: str = "") -> dict[str, Kept]:
        return await self._machine.to_the_cluster(lambda: self._shared.all(branch))

    def watch(self) -> AsyncIterator[dict[str, Kept | None]]:
        return self._shared.watch()

    async def close(self) -> None:
        """It is shared."""


class Quiet:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **facts: object) -> None:
        self.said.append((event, facts))

    def warning(self, event: str, **facts: object) -> None:
        self.said.append((event, facts))


class FleetWorker:
    """One worker that runs."""

    def __init__(self, name: str, machine: Machine, worker: Worker, serving: Serving, log: Quiet) -> None:
        self.name, self.machine, self.worker, self.serving, self.log = name, machine, worker, serving, log
        self.stopped = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def kill(self) -> None:
        """SIGKILL: nothing is said to anyone."""
        assert self.task is not None
        self.machine.is_cut = True
        self.machine.resume()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def stop(self) -> None:
        """SIGTERM."""
        assert self.task is not None
        self.stopped.set()
        await self.task


class Fleet:
    """What outlives the workers: stream, ledgers, tables, orgs. Made inside the running loop."""

    def __init__(self, folder: Path, orgs: dict[str, FakeOrg], **settings: Any) -> None:
        self.folder, self.orgs = folder, orgs
        self.clock = Clock()
        self.config = FleetConfig(lease_s=LEASE_S, **settings)
        self.signals = MemoryJournal()
        self.told: dict[str, MemoryJournal] = {name: MemoryJournal() for name in orgs}
        self.workers = MemoryKeyValue(clock=self._seconds, life_s=self.config.timing.life_s)
        self.owners = MemoryKeyValue(clock=self._seconds)
        self.budget = BudgetConfig()
        self.running: dict[str, FleetWorker] = {}

    @property
    def detector(self) -> Detector:
        return Detector(self.signals, clock=self.clock, life=self.config.signals_life)

    def start(self, name: str, *, sources: Sequence[Reads] = ()) -> FleetWorker:
        machine = Machine()
        signals = FarJournal(self.signals, machine)

        async def told(target: str) -> Journal:
            return FarJournal(self.told[target], machine)

        workers: KeyValue = FarTable(self.workers, machine)
        stores = Stores(signals, told, workers, FarTable(self.owners, machine), self.clock)
        stream = SharedStream(signals, Turns(TURNS_AT_ONCE))
        targets = {
            org: TargetConfig(url=f"https://{org}.example", token_env="T", allow_non_global=True, budget=self.budget)
            for org in self.orgs
        }
        relay = RelayConfig(state=str(self.folder / name), targets=targets)
        serving = Serving(relay, self.config, stores, stream, open_target=self._open_target(machine))
        log = Quiet()
        worker = Worker(
            name,
            serving.works(sources),
            workers=stores.workers,
            owners=stores.owners,
            timing=self.config.timing,
            monotonic_s=machine.monotonic_s,
            log=log,
        )
        running = self.running[name] = FleetWorker(name, machine, worker, serving, log)
        running.task = asyncio.create_task(_run(running, stream))
        return running

    async def close(self) -> None:
        for one in self.running.values():
            await one.kill()

    def _seconds(self) -> float:
        return self.clock().timestamp()

    def _open_target(self, machine: Machine) -> Any:
        @asynccontextmanager
        async def opened(config: TargetConfig) -> AsyncIterator[OktaTarget]:
            org = self.orgs[config.url.partition("//")[2].partition(".")[0]]

            async def ask(request: httpx2.Request) -> httpx2.Response:
                return await machine.over_the_net(lambda: org(request))

            configuration = Configuration(host=config.url, api_key={"apiToken": "s3cret"}, retries=0)
            async with AsyncApiClient(configuration, transport=httpx2.MockTransport(ask)) as client:
                yield OktaTarget(client, name=config.url, at_most=config.budget.requests_per_window)

        return opened


async def _run(one: FleetWorker, stream: SharedStream) -> None:
    reading = asyncio.create_task(stream.run(warn=lambda reason: one.log.warning("stream", reason=reason)))
    try:
        await one.worker.serve(one.stopped)
    finally:
        reading.cancel()


async def _given(entries: list[Entry]) -> list[Entry]:
    return entries


def holders(fleet: Fleet, item: str) -> list[str]:
    """Who thinks that it holds an item, paused ones too."""
    return [one.name for one in fleet.running.values() if item in one.worker.holds]


def ledger_over(journal: Journal, by: str) -> FleetLedger:
    """That of a target, for one who holds it and is ready at once."""

    async def ready() -> None:
        """At once."""

    topic = FencedTopic(journal, TOPIC, Holding("target.acme", by=by, holds=lambda: True), clock=lambda: T0)
    return FleetLedger(topic, ready=ready, turns=Turns(1))
