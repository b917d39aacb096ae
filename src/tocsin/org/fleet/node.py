"""A node: serves the orgs that are registered in the fleet, those that come while it runs too, each by its host."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import count
from typing import NamedTuple

import structlog
from structlog.contextvars import bind_contextvars

from tocsin.journal import JournalError, JournalUnreachable
from tocsin.org.config import OrgConfig
from tocsin.org.errors import OrgError
from tocsin.org.fleet.fleet import Fleet
from tocsin.org.fleet.lag import Lag
from tocsin.org.fleet.registered import RegisteredOrg
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.http.served import ServedOrg
from tocsin.org.opening import org_behind, registry_behind
from tocsin.org.org import Org
from tocsin.org.rounds import end, in_rounds
from tocsin.org.running import start
from tocsin.org.trimmed import Whole, begin_anew_if_outrun
from tocsin.org.worker import Worker

_LOOK_EVERY_S = 1.0
_TRY_AGAIN_S = 1.0
_ASK_EVERY_S = 5.0
_KEEP_EVERY = 100
_BLIND_AFTER_S = 30.0
_STARTS_AT_ONCE = 4
_DRAIN_AT_MOST_S = 3.0
_log = structlog.get_logger("tocsin.org")


class Node:
    """What runs beside the HTTP server of a node."""

    def __init__(
        self,
        fleet: Fleet,
        worker: Worker,
        config: OrgConfig,
        *,
        most_late_s: float,
        only: Collection[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`only` are the names of the orgs that are served; all when there are none."""
        self._fleet, self._worker, self.config, self._most_late_s = fleet, worker, config, most_late_s
        self._only, self._monotonic = frozenset(only), monotonic
        self._running: dict[str, _Running] = {}
        self._not_understood: dict[str, str] = {}
        """What is registered and left out, by name, with the reason that the log has told."""
        self._starting = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._looked_s = self._monotonic()
        self.hosts = set[str]()
        """Of all orgs that were served since the start."""

    @property
    def connected(self) -> bool:
        """Whether a server of the fleet is there."""
        return self._fleet.connection.is_connected

    @property
    def looks(self) -> bool:
        """Whether it knows which orgs there are, as far as the fleet can be reached."""
        return self._monotonic() < self._looked_s + _BLIND_AFTER_S

    @property
    def alone(self) -> bool:
        """Whether it is for one org, so that whose a request is need not be told."""
        return len(self._only or {*self._running, *self._not_understood}) == 1

    def orgs(self) -> dict[str, tuple[str, ServedOrg]]:
        """Host and application of each, by name."""
        return {name: (one.registered.host, one.served) for name, one in self._running.items()}

    async def run(self) -> None:
        """Serve what is registered, as it comes and goes, for ever."""
        try:
            await in_rounds(self.look, rest_s=_LOOK_EVERY_S, failed="fleet.not_looked_at")
        finally:
            await asyncio.gather(*(one.end() for one in self._running.values()))
            self._running.clear()

    async def look(self) -> None:
        """
        Begin to serve what has come, and end what has gone or moved. Raises JournalError.

        What is not understood is left as it was: not begun, or served on as it was known.
        """
        try:
            found = await self._fleet.registered.all()
        except JournalUnreachable:
            self._looked_s = self._monotonic()
            raise
        self._looked_s = self._monotonic()
        self._tell_not_understood(found.not_understood)
        wanted = {name: org for name, org in found.orgs.items() if not self._only or name in self._only}
        wanted |= {name: one.registered for name, one in self._running.items() if name in found.not_understood}
        stale = [name for name, one in self._running.items() if not self._is_still(one, wanted.get(name))]
        # Until they have ended they answer 503, and what is asked by their hosts is not another org's.
        await asyncio.gather(*(self._running[name].end() for name in stale))
        for name in stale:
            del self._running[name]
        for name in wanted.keys() - self._running.keys():
            self._running[name] = self._begun(name, wanted[name])

    def _tell_not_understood(self, found: Mapping[str, OrgError]) -> None:
        """In the log, each once."""
        for name, error in found.items():
            if self._not_understood.get(name) != error.summary:
                _log.error("org.not_understood", org=name, error=error.summary, remedy=error.hint)
        self._not_understood = {name: error.summary for name, error in found.items()}

    def _is_still(self, one: "_Running", wanted: RegisteredOrg | None) -> bool:
        if wanted == one.registered and one.journal != self._fleet.journal_of(wanted):
            remedy = "its projections are made anew; if nobody restored or made a stream, look into the servers' logs"
            _log.error("fleet.stream_replaced", url=wanted.url, remedy=remedy)
            return False
        return wanted == one.registered

    async def check(self) -> None:
        """Raises OrgError, when one that is to be served is not registered; JournalError."""
        for name in sorted(self._only):
            await self._fleet.registered.get(name)

    def stop(self) -> None:
        """The node is about to stop."""
        for one in self._running.values():
            one.served.stop()

    def _begun(self, name: str, registered: RegisteredOrg) -> "_Running":
        https = registered.url.startswith("https://")
        served = ServedOrg(name, self.config, clock=self._fleet.clock, most_late_s=self._most_late_s, https=https)
        self.hosts.add(registered.host)
        journal = self._fleet.journal_of(registered)
        return _Running(registered, journal, served, asyncio.create_task(self._serve(name, registered, served)))

    async def _serve(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        bind_contextvars(org=name)
        work = partial(self._serve_once, name, registered, served)
        await in_rounds(work, rest_s=_TRY_AGAIN_S, failed="org.not_served")

    async def _serve_once(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        try:
            async with self._starting:
                folder = await self._prepared(name, registered, served)
            with folder.in_use():
                async with org_behind(folder, self.config) as org:
                    served.lag = lag = Lag(org.projector, last=await org.journal.last())
                    await start(org)
                    served.front = Front(org, base_url=registered.url, name=name)
                    try:
                        async with asyncio.TaskGroup() as tasks:
                            for work in (
                                self._worker.upkeep(org, name=name),
                                org.notes.run(),
                                _watch(org, lag, folder),
                            ):
                                tasks.create_task(work)
                    finally:
                        await served.let_go()
                        await _drain(org)
        finally:
            served.lag = None

    async def _prepared(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> DataFolder:
        """The folder of an org, its directory caught up, and nothing in it that a trim of the journal has outrun."""
        folder = await asyncio.to_thread(self._fleet.folder_of, name, registered)
        async with registry_behind(folder) as registry:
            served.lag = Lag(registry.projector, last=await registry.journal.last())
            await registry.projector.catch_up()
            before = registry.trimmed.before
        if await asyncio.to_thread(begin_anew_if_outrun, folder, before):
            remedy = "nothing: what is here is older than what the journal still holds, and is made anew from that"
            _log.warning("org.begun_anew", before=before, remedy=remedy)
        return folder


async def _drain(org: Org) -> None:
    """Write what waits for the System Log, unless no quorum answers."""
    try:
        async with asyncio.timeout(_DRAIN_AT_MOST_S):
            await org.notes.drain()
    except TimeoutError:
        _log.error("log.notes_dropped", error="the fleet did not take them before this node had to stop")


async def _watch(org: Org, lag: Lag, folder: DataFolder) -> None:
    """Keep an eye on how far the journal has come, for ever. Raises Outrun, when it was trimmed beyond this node."""
    assert org.trimmed is not None
    whole = Whole(folder)
    try:
        for number in count(1):
            await asyncio.sleep(_ASK_EVERY_S)
            try:
                await whole.look(org.projector, org.trimmed)
            except JournalError:
                lag.look(None)
            else:
                lag.look(org.projector.applied_first)
            if number % _KEEP_EVERY == 0:
                await asyncio.to_thread(whole.keep)
    finally:
        whole.keep()


class _Running(NamedTuple):
    """An org that is being served, or will be soon."""

    registered: RegisteredOrg
    journal: str
    served: ServedOrg
    task: asyncio.Task[None]

    async def end(self) -> None:
        """Serve it no longer."""
        self.served.stop()
        await end(self.task)
