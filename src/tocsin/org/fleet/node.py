"""A node: serves the orgs that are registered in the fleet, those that come while it runs too, each by its host."""

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import suppress
from functools import partial

import structlog

from tocsin.journal import Journal
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.org.config import OrgConfig
from tocsin.org.errors import OrgError
from tocsin.org.fleet.fleet import Fleet
from tocsin.org.fleet.lag import Lag
from tocsin.org.fleet.registered import RegisteredOrg
from tocsin.org.http.front import Front
from tocsin.org.http.served import ServedOrg
from tocsin.org.org import Org, org_behind, registry_behind, start
from tocsin.org.projector import Projector
from tocsin.org.rounds import in_rounds, of_one_org
from tocsin.org.trimmed import delete_what_missed_it
from tocsin.org.worker import Worker

_LOOK_EVERY_S = 1.0
_TRY_AGAIN_S = 1.0
_DRAIN_AT_MOST_S = 3.0
_log = structlog.get_logger("tocsin.org")


class Node:
    """What runs beside the HTTP server of a node."""

    def __init__(
        self, fleet: Fleet, worker: Worker, config: OrgConfig, *, most_lag: int, only: Collection[str] = ()
    ) -> None:
        """`only` are the names of the orgs that are served; all when there are none."""
        self._fleet, self._worker, self._config, self._most_lag = fleet, worker, config, most_lag
        self._only = frozenset(only)
        self._running: dict[str, _Running] = {}

    @property
    def connected(self) -> bool:
        """Whether a server of the fleet is there."""
        return self._fleet.connection.is_connected

    def orgs(self) -> dict[str, tuple[str, ServedOrg]]:
        """Host and application of each, by name."""
        return {name: (one.registered.host, one.served) for name, one in self._running.items()}

    async def run(self) -> None:
        """Serve what is registered, as it comes and goes, for ever."""
        try:
            await in_rounds(self.look, rest_s=_LOOK_EVERY_S, failed="fleet.not_looked_at")
        finally:
            for name in list(self._running):
                await self._running.pop(name).end()

    async def look(self) -> None:
        """Begin to serve what has come, and end what has gone or moved. Raises JournalError."""
        found = await self._fleet.registered.all()
        wanted = {name: org for name, org in found.items() if not self._only or name in self._only}
        for name in [name for name, one in self._running.items() if wanted.get(name) != one.registered]:
            await self._running.pop(name).end()
        for name in wanted.keys() - self._running.keys():
            self._running[name] = self._begun(name, wanted[name])

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
        served = ServedOrg(self._config, clock=self._fleet.clock, most_lag=self._most_lag, https=https)
        work = partial(self._serve, name, registered, served)
        return _Running(registered, served, of_one_org(work, org=name, rest_s=_TRY_AGAIN_S, failed="org.not_served"))

    async def _serve(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        try:
            await self._serve_once(name, registered, served)
        finally:
            served.stop()
            served.lag = served.front = None

    async def _serve_once(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        folder = self._fleet.folder_of(name, registered)
        async with registry_behind(folder) as registry:
            served.lag = await _lag(registry.projector, registry.journal)
            await registry.projector.catch_up()
            before = registry.trimmed.before
        delete_what_missed_it(folder, before)
        with folder.in_use():
            async with org_behind(folder, self._config) as org:
                served.lag = lag = await _lag(org.projector, org.journal)
                await start(org)
                served.front = Front(org, base_url=registered.url)
                try:
                    async with asyncio.TaskGroup() as tasks:
                        for work in (self._worker.upkeep(org, name=name), org.notes.run(), lag.run(), _outrun(org)):
                            tasks.create_task(work)
                finally:
                    await _drain(org, name)


class Outrun(OrgError):
    """What this node has not applied is gone from the journal. It makes its projections anew by itself."""


async def _lag(projector: Projector, journal: Journal) -> Lag:
    assert isinstance(journal, JetStreamJournal)
    return Lag(projector, journal, last=await journal.last())


async def _drain(org: Org, name: str) -> None:
    """Write what waits for the System Log, unless no quorum answers."""
    try:
        async with asyncio.timeout(_DRAIN_AT_MOST_S):
            await org.notes.drain()
    except TimeoutError:
        _log.error("log.notes_dropped", org=name, error="the fleet did not take them before this node had to stop")


async def _outrun(org: Org) -> None:
    """Raises Outrun, when the journal was trimmed beyond what is applied here."""
    assert org.trimmed is not None
    known = org.trimmed.before
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if org.trimmed.before > known and org.projector.applied < org.trimmed.before - 1:
            raise Outrun(f"entries before {org.trimmed.before} are gone, and not applied here", hint="wait for it")
        known = org.trimmed.before


class _Running:
    """An org that is being served, or will be soon."""

    def __init__(self, registered: RegisteredOrg, served: ServedOrg, serve: Coroutine[None, None, None]) -> None:
        self.registered, self.served = registered, served
        self._task = asyncio.create_task(serve)

    async def end(self) -> None:
        """Serve it no longer."""
        self.served.stop()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
