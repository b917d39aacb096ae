"""The relay: takes signals in durably, and keeps every target's picture true for as long as it runs."""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.okta.secret_places import NoToken
from tocsin.relay.books import SourceBook
from tocsin.relay.changes import Served
from tocsin.relay.config import RelayConfig, TargetConfig
from tocsin.relay.feeding import end_all
from tocsin.relay.folder_lock import only_relay
from tocsin.relay.intake import Prepared, prepared
from tocsin.relay.ledger import Ledger
from tocsin.relay.okta_target import okta_target
from tocsin.relay.outbox import Backlog, Outbox
from tocsin.relay.outbox_thread import OutboxThread
from tocsin.relay.reconcile import Policy, Rank
from tocsin.relay.record import NEVER_MS
from tocsin.relay.refusal import Refusal
from tocsin.relay.sender import Sender
from tocsin.relay.staging import Staging
from tocsin.relay.status import Status, status_of
from tocsin.relay.steady_clock import SteadyClock
from tocsin.relay.store import ROOM_BYTES
from tocsin.relay.target import Target
from tocsin.relay.watcher import Watcher
from tocsin.signals import Batch, Retraction, Signal, to_ms
from tocsin.wall_clock import utc_now

TICK_S = 1.0
LOOKS_REMEMBERED = 256
"""Transactions after which the memory of what they looked at is let go."""
STEP_RECORDS = 2_000
"""Looked at in one go when their time has come; more would keep something dangerous waiting."""


class Guards(Struct, frozen=True):
    """What sources never speak of, such as our own networks."""

    never: Mapping[str, Callable[[bytes], bool]] = {}
    """By the name of a source: says so of an IP key."""
    terms: bytes = b""
    """The same in any form that differs when the answers do."""


OpenTarget = Callable[[TargetConfig], AbstractAsyncContextManager[Target]]


def open_okta(config: TargetConfig) -> AbstractAsyncContextManager[Target]:
    """The org that a table of the configuration describes."""
    return okta_target(config.url, config.credential(), at_most=config.budget.requests_per_window)


class Relay:
    """
    One relay over one state folder:

        async with Relay(config) as relay:
            await relay.put(signals)

    Raises: RelayError, when the folder cannot be used or another relay uses it; NoToken, when a token is missing.
    """

    def __init__(
        self,
        config: RelayConfig,
        *,
        patient: bool = True,
        hold: bool = False,
        watcher: Watcher | None = None,
        guards: Guards | None = None,
        open_target: OpenTarget = open_okta,
        ledger: Ledger | None = None,
        room_bytes: int = ROOM_BYTES,
        clock: Callable[[], datetime] = utc_now,
        steady: SteadyClock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            patient: False to send as fast as the budget allows, and to fail when a target does (see `drained`).
            hold: True to tell no target anything before `release`.
            guards: what sources never speak of; what they did is let go.
            open_target: opens a target of another kind.
            ledger: that of its one target, in a fleet.
            steady: that of `clock`, where several relays go by it.
            room_bytes: how large its outbox may become; address space, not disk.
        """
        self._config, self._patient, self._hold = config, patient, hold
        self._watcher, self._guards, self._room_bytes = watcher, guards or Guards(), room_bytes
        self._steady = steady
        self._open_target, self._ledger, self._clock, self._draw = open_target, ledger, clock, draw
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.senders: dict[str, Sender] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = Path(self._config.state)
            await stack.enter_async_context(only_relay(folder))
            self._box = OutboxThread(folder / "outbox", clock=self._clock, room_bytes=self._room_bytes)
            stack.push_async_callback(self._box.close)
            await self._box.open()
            for name, config in self._config.targets.items():
                await self._add_target(stack, name, config)
            await self._box.do(_serve, self._box.outbox, self._config, self._guards)
            await self._box.do(self._take_up)
            self._start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await end_all(self._tasks)
        finally:
            await self._stack.aclose()

    async def put(self, *claims: Batch | Iterable[Signal | Retraction]) -> None:
        """
        Keep signals and retractions; durable when this returns, all of them or none.

        Args:
            claims: any number of any sources, or one source's batches with their positions.
        Raises: InvalidSignals, when one of them can never be told, and RelayError, when they could not be written.
        """
        self._check()
        await self._box.put(await self._box.do(prepared, claims))

    async def put_prepared(self, unpack: Callable[[], Sequence[Prepared]]) -> None:
        """
        The same for what was prepared elsewhere.

        Args:
            unpack: gives it; called in the thread of the outbox.
        Raises: RelayError, when it could not be written; whatever `unpack` raises.
        """
        self._check()
        await self._box.put(await self._box.do(unpack))

    async def take_in(self, staging: Staging) -> None:
        """
        Keep all of a long reading; durable when this returns. Each of its sources is told apart from its last reading.

        Raises: RelayError, when it could not be written; a part of it may have been, and does no harm.
        """
        for source in staging.sources:
            await self.begin_reading(source)
        for batches in staging.in_order():
            self._check()
            await self._box.put(batches)
        await self.settled()

    async def guard(self, guards: Guards) -> None:
        """From now on sources never speak of these; what they said of them is let go, and what others said stands."""
        if guards.terms != self._guards.terms:
            self._guards = guards
            await self._box.do(_serve, self._box.outbox, self._config, guards)
            self._changed()

    async def status(self) -> Status:
        """How it is doing."""
        return await self._box.do(lambda: status_of(self._box.outbox, running=True, now_ms=to_ms(self._clock())))

    async def quarantined(self) -> Sequence[Refusal]:
        """What was refused and waits for a person, the latest first."""
        return await self._box.do(self._box.outbox.quarantine.all)

    async def begin_reading(self, source: str) -> SourceBook:
        """A source starts, or starts again after a fault. Returns: its book, with the position to go on from."""
        return await self._box.do(self._box.outbox.begin_reading, source)

    async def note_stopped(self, source: str, why: str) -> None:
        """Nothing comes from a source now; `tocsin status` says so."""
        await self._box.do(self._box.outbox.note_source, source, stopped=why)

    async def backlog(self, target: str) -> dict[Rank, Backlog]:
        """What a target is still to be told, by rank."""
        return await self._box.do(lambda: self._box.outbox.backlog(self._box.outbox.target(target).number))

    async def settled(self) -> None:
        """Wait until all that was taken in is decided: lists are walked to their end, what is due was looked at."""
        while await self._box.do(self._step):
            self._check()
            await self._box.do(self._box.outbox.store.let_memory_go)

    def release(self) -> None:
        """Begin to tell the targets, once, where that was put on hold."""
        self._tasks += [asyncio.create_task(sender.serve()) for sender in self.senders.values()]

    async def drained(self) -> None:
        """
        Wait until every target was told all there is to tell at the moment; not while the relay is on hold.

        Raises: TargetPaused, when it will not come to that, unless the relay is patient.
        """
        await self.settled()
        for sender in self.senders.values():
            sender.idle.clear()
            sender.changed.set()
            idle = asyncio.ensure_future(sender.idle.wait())
            await asyncio.wait([idle, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()
            self._check()

    async def end(self) -> None:
        """Send nothing more; returns when what is on its way has been answered."""
        await asyncio.gather(*(sender.end() for sender in self.senders.values()))

    async def failed(self) -> None:
        """Wait until something fails that the relay cannot go on without, and raise that."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._check()

    async def _add_target(self, stack: AsyncExitStack, name: str, config: TargetConfig) -> None:
        try:
            target = await stack.enter_async_context(self._open_target(config))
        except NoToken as error:
            raise NoToken(f"targets.{name}.{error.summary}", hint=error.hint) from None
        book = await self._box.do(self._box.outbox.target, name)
        self.senders[name] = Sender(
            name,
            target,
            book,
            self._box,
            ledger=self._ledger,
            patient=self._patient,
            watcher=self._watcher,
            clock=self._clock,
            steady=self._steady,
            draw=self._draw,
        )

    def _take_up(self) -> None:
        """What was under way when the last relay of this folder ended: nobody knows whether it arrived."""
        outbox = self._box.outbox
        for name in self._config.targets:
            outbox.in_flight.lost(name, outbox.target(name), now_ms=to_ms(self._clock()))

    def _start(self) -> None:
        works = [self._box.write_for_ever(on_written=self._changed), self._tick()]
        self._tasks = [asyncio.create_task(work) for work in works]
        if not self._hold:
            self.release()

    async def _tick(self) -> None:
        """Look again at what is due, and let go what lists no longer hold; also what another process left to do."""
        while True:
            while await self._box.do(self._step):
                self._changed()
                await asyncio.sleep(0)
            await self._box.do(self._box.outbox.store.let_memory_go, after=LOOKS_REMEMBERED)
            await asyncio.sleep(TICK_S)

    def _step(self) -> bool:
        """Returns: False when there was nothing to do."""
        outbox, now_ms = self._box.outbox, to_ms(self._clock())
        woken = outbox.wake(now_ms=now_ms, limit=STEP_RECORDS)
        return (
            outbox.let_go_step(now_ms=now_ms, limit=STEP_RECORDS)
            or outbox.review_step(now_ms=now_ms, limit=STEP_RECORDS)
            or woken > 0
        )

    def _changed(self) -> None:
        for sender in self.senders.values():
            sender.changed.set()

    def _check(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error


def work_for(path: Path, config: RelayConfig, staging: Staging, *, now_ms: int) -> dict[Rank, Backlog]:
    """What the first target would be told if `staging` came in now, kept in an outbox at `path`. Tells nobody."""
    outbox = Outbox(path)
    try:
        _serve(outbox, config, Guards())
        for batches in staging.in_order():
            outbox.take_in(batches, now_ms=now_ms)
            outbox.store.let_memory_go()
        while outbox.let_go_step(now_ms=now_ms, limit=STEP_RECORDS):
            outbox.store.let_memory_go()
        return outbox.backlog(outbox.target(next(iter(config.targets))).number)
    finally:
        outbox.close()


def _serve(outbox: Outbox, config: RelayConfig, guards: Guards) -> None:
    told = [(name, replace(target, url="")) for name, target in config.targets.items()]
    outbox.serve(served(outbox, config, guards), terms=msgspec.json.encode(told) + guards.terms)


def served(outbox: Outbox, config: RelayConfig, guards: Guards) -> Iterator[Served]:
    """What each target of a configuration is to be told."""
    never = {outbox.source(name).number: guard for name, guard in guards.never.items()}
    for name, target in config.targets.items():
        sources = target.sources
        policy = Policy(
            target=outbox.target(name).number,
            least_severity=target.minimum_level.severity,
            sources=None if sources is None else frozenset(outbox.source(source).number for source in sources),
            longest_life_ms=NEVER_MS if target.longest_life_s is None else target.longest_life_s * 1000,
            refresh_before_ms=target.refresh_before_s * 1000,
        )
        yield Served(policy, target.excludes(), never)
