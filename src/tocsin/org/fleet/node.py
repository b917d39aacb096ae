"""A node: serves the orgs that are registered in the fleet, those that come while it runs too, each by its host."""

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import suppress
from traceback import format_exception

import structlog

from tocsin.errors import TocsinError
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.org.config import OrgConfig
from tocsin.org.fleet.fleet import Fleet
from tocsin.org.fleet.lag import Lag
from tocsin.org.fleet.registered import RegisteredOrg
from tocsin.org.http.front import Front
from tocsin.org.http.served import ServedOrg
from tocsin.org.org import org_behind, start
from tocsin.org.rounds import in_rounds
from tocsin.org.worker import Worker

_LOOK_EVERY_S = 1.0
_TRY_AGAIN_S = 1.0
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
        return _Running(registered, served, self._serve(name, registered, served))

    async def _serve(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        while True:
            try:
                await self._serve_once(name, registered, served)
            except TocsinError as error:
                _log.error("org.not_served", org=name, error=str(error), remedy=error.hint)
            except Exception as error:  # a mistake of ours, about one org: the others must not suffer for it
                _log.error("org.not_served", org=name, exception="".join(format_exception(error)))
            finally:
                served.stop()
                served.lag = served.front = None
            await asyncio.sleep(_TRY_AGAIN_S)

    async def _serve_once(self, name: str, registered: RegisteredOrg, served: ServedOrg) -> None:
        folder = self._fleet.folder_of(name, registered)
        with folder.in_use():
            async with org_behind(folder, self._config) as org:
                assert isinstance(org.journal, JetStreamJournal)
                served.lag = Lag(org.projector, org.journal, last=await org.journal.last())
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._worker.upkeep(org, name=name))
                    tasks.create_task(served.lag.run())
                    await start(org)
                    served.front = Front(org, base_url=registered.url)
                    tasks.create_task(org.notes.run())


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
