"""One org of a node, over HTTP: what it answers while it is opened, while it catches up, and when it is too far behind.

Until the directory has all that the journal held at the start nobody is let in: it is not known who may be. Decisions
are answered once the index has it too, and while nothing waits for it longer than a bound. A fleet that cannot be
reached does not count as being behind: what was known goes on being answered.
"""

import asyncio
from contextlib import suppress

from structlog.contextvars import bound_contextvars

from tocsin.org.config import OrgConfig
from tocsin.org.fleet.lag import Lag
from tocsin.org.http.batch import BATCH_PATH
from tocsin.org.http.check import CHECK_PATH
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import behind
from tocsin.org.http.exchange import Exchange, Receive, Scope, Send
from tocsin.org.http.front import Front
from tocsin.org.http.health import Probes, Standing
from tocsin.org.http.lapi import DECISIONS_PATH
from tocsin.org.http.live import LIVE_PATH
from tocsin.org.http.risk import IPS_PATH
from tocsin.org.http.sign_ins import SIGN_INS_PATH
from tocsin.org.org import Clock

_LET_GO_WITHIN_S = 3.0
_DECISIONS = (IPS_PATH, BATCH_PATH, CHECK_PATH, SIGN_INS_PATH, LIVE_PATH, DECISIONS_PATH)


class ServedOrg:
    """An ASGI application. Whoever opens the org says how far that is."""

    def __init__(self, name: str, config: OrgConfig, *, clock: Clock, most_late_s: float, https: bool) -> None:
        self._name, self._config, self._clock, self._most_late_s = name, config, clock, most_late_s
        self._https, self._proxies = https, TrustedProxies(config.http.trusted_proxies)
        self._probes = Probes(self.standing)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.lag: Lag | None = None
        """None while the org is not open."""
        self.front: Front | None = None
        """None until the directory is caught up."""

    def stop(self) -> None:
        """It is about to end: end what would go on for ever."""
        if self.front is not None:
            self.front.stop()

    async def let_go(self) -> None:
        """It ends now: let nobody in any more, and those who are in go first, if they do not take too long."""
        self.stop()
        self.front = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_LET_GO_WITHIN_S):
                await self._idle.wait()

    def standing(self) -> Standing:
        """How far it is."""
        lag = self.lag
        if lag is None:
            return Standing(False, ["it is being opened"], 0, 0, 0, 0.0)
        why_not = []
        if self.front is None or not lag.caught_up:
            why_not.append("it catches up with what the journal held when it was started")
        elif self._is_behind:
            why_not.append("the index is too far behind the journal for decisions")
        return Standing(not why_not, why_not, lag.applied, lag.last, lag.entries, round(lag.late_s, 1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return None
        path, front = scope["path"], self.front
        if self._probes.handles(path):
            return await self._probes.answer(self._exchange(scope, receive, send))
        if front is None or (path.startswith(_DECISIONS) and self._is_behind):
            return await self._exchange(scope, receive, send).refuse(behind())
        return await self._let_in(front, scope, receive, send)

    async def _let_in(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        self._idle.clear()
        try:
            with bound_contextvars(org=self._name):
                await front(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    @property
    def _is_behind(self) -> bool:
        return self.lag is not None and not (self.lag.caught_up and self.lag.late_s <= self._most_late_s)

    def _exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        return Exchange(
            scope, receive, send, now=self._clock(), proxies=self._proxies, body_timeout_s=1.0, https=self._https
        )
