"""What a worker does with a target or a source that it holds: the engine of one machine, fed by the fleet's stream."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from tocsin.journal import Journal, KeyValue
from tocsin.relay.config import RelayConfig, TargetConfig
from tocsin.relay.errors import RelayError
from tocsin.relay.feeding import Reads, feed, until_one_ends
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.detector import SourceDoor
from tocsin.relay.fleet.feeding import OutboxFeed, SharedStream
from tocsin.relay.fleet.fenced import FencedTopic, Holding
from tocsin.relay.fleet.ledger import TOPIC, FleetLedger
from tocsin.relay.fleet.names import word
from tocsin.relay.fleet.stream import BRANCH
from tocsin.relay.fleet.trimming import trim_for_ever
from tocsin.relay.fleet.who import together
from tocsin.relay.fleet.worker import Work
from tocsin.relay.relay import Guards, OpenTarget, Relay, open_okta
from tocsin.relay.status import Status
from tocsin.relay.steady_clock import SteadyClock
from tocsin.relay.watcher import Watcher

_T = TypeVar("_T")
TARGET, SOURCE = "target.", "source."
TRIMMING = "upkeep.signals"
OUTBOX_BYTES = 16 * 1024**3
"""Of address space; a process has 128 TiB, and thousands of these."""
OPENED_AT_ONCE = 8
DESCRIPTORS_PER_TARGET = 6
"""Five of its outbox, and its connection to the org."""


class Stores(NamedTuple):
    """What the workers of a fleet share."""

    signals: Journal
    told: Callable[[str], Awaitable[Journal]]
    """Opens the journal that the target of this name has for itself."""
    workers: KeyValue
    """Its entries stand for `Timing.life_s`."""
    owners: KeyValue
    clock: Callable[[], datetime]
    """The same on all machines, as near as can be."""


class Serving:
    """All that one worker may come to hold."""

    def __init__(
        self,
        config: RelayConfig,
        fleet: FleetConfig,
        stores: Stores,
        stream: SharedStream,
        *,
        watcher: Watcher | None = None,
        guards: Guards | None = None,
        open_target: OpenTarget = open_okta,
    ) -> None:
        """
        Args:
            config: its `state` is the worker's; each target has a folder of its own in it.
            stream: `stores.signals`, while it runs.
        """
        self._config, self._fleet, self._stores, self._stream = config, fleet, stores, stream
        self._watcher, self._guards, self._open_target = watcher, guards or Guards(), open_target
        self._steady = SteadyClock(stores.clock)
        self._opening = asyncio.Semaphore(OPENED_AT_ONCE)
        self.relays: dict[str, Relay] = {}
        """The engines that run now, by target."""

    def works(self, sources: Sequence[Reads]) -> dict[str, Work]:
        """What serves each item: the targets, these sources, and the upkeep of the stream."""
        targets = {f"{TARGET}{name}": self._target_work(name) for name in self._config.targets}
        reading = {f"{SOURCE}{source.name}": self._source_work(source) for source in sources}
        return {**targets, **reading, TRIMMING: self._trim_signals}

    async def guard(self, guards: Guards) -> None:
        """See `Relay.guard`."""
        self._guards = guards
        await self._each(lambda relay: relay.guard(guards))

    async def status(self) -> Status:
        """How the engines are doing, put together."""
        return together(await self._each(Relay.status), state=self._config.state, running=True)

    async def _each(self, ask: Callable[[Relay], Awaitable[_T]]) -> list[_T]:
        """Of all engines that run; one that ends meanwhile has no answer."""
        found = []
        for relay in list(self.relays.values()):
            with suppress(RelayError):
                found.append(await ask(relay))
        return found

    def _target_work(self, name: str) -> Work:
        async def serve(holding: Holding) -> None:
            await self._serve_target(name, self._config.targets[name], holding)

        return serve

    def _source_work(self, source: Reads) -> Work:
        async def serve(holding: Holding) -> None:
            stores = self._stores
            door = SourceDoor(stores.signals, source.name, holding, clock=stores.clock, life=self._fleet.signals_life)
            await until_one_ends([feed(door, source), holding.leaving.wait()])

        return serve

    async def _serve_target(self, name: str, target: TargetConfig, holding: Holding) -> None:
        told = await self._stores.told(name)
        try:
            feed_of_it = OutboxFeed(self._stream)
            topic = FencedTopic(told, TOPIC, holding, clock=self._stores.clock)
            engine = Relay(
                _alone(name, self._bounded(target), state_of(self._config.state, name)),
                ledger=FleetLedger(topic, ready=feed_of_it.caught_up.wait, turns=self._stream.turns),
                room_bytes=OUTBOX_BYTES,
                watcher=self._watcher,
                guards=self._guards,
                open_target=self._open_target,
                clock=self._stores.clock,
                steady=self._steady,
            )
            async with AsyncExitStack() as stack:
                async with self._opening:
                    relay = await stack.enter_async_context(engine)
                self.relays[name] = relay
                await relay.guard(self._guards)  # they may have changed while it was opened
                trimming = trim_for_ever(told, TOPIC, clock=self._stores.clock, life=self._fleet.told_life)
                await until_one_ends([feed_of_it.feed(relay), relay.failed(), trimming, holding.leaving.wait()])
                await relay.end()
        finally:
            self.relays.pop(name, None)
            await told.close()

    def _bounded(self, target: TargetConfig) -> TargetConfig:
        """No telling lasts longer than the fleet remembers it."""
        return replace(target, longest_life_s=target.longest_life_s or self._fleet.told_life_s)

    async def _trim_signals(self, holding: Holding) -> None:
        clock, life = self._stores.clock, self._fleet.signals_life
        trimming = trim_for_ever(self._stores.signals, BRANCH, clock=clock, life=life)
        await until_one_ends([trimming, holding.leaving.wait()])


def state_of(state: str, target: str) -> Path:
    """The state folder of a target in that of its worker."""
    return Path(state) / "targets" / word(target)


def _alone(name: str, target: TargetConfig, folder: Path) -> RelayConfig:
    return RelayConfig(state=str(folder), targets={name: target})
