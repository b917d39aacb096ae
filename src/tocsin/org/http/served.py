"""One org of a node, over HTTP: what it answers while it is opened, while it catches up, and when it is too far behind.

Until the directory has all that the journal held at the start nobody is let in: it is not known who may be. Decisions
are answered while the index is less than a bound behind. A fleet that cannot be reached does not count as being behind:
what was known goes on being answered.
"""

import msgspec
from msgspec import Struct

from tocsin.org.config import OrgConfig
from tocsin.org.fleet.lag import Lag
from tocsin.org.http.batch import BATCH_PATH
from tocsin.org.http.check import CHECK_PATH
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import behind
from tocsin.org.http.exchange import Exchange, Receive, Scope, Send
from tocsin.org.http.front import Front
from tocsin.org.http.health import HEALTH_PATH, READY_PATH
from tocsin.org.http.lapi import DECISIONS_PATH
from tocsin.org.http.live import LIVE_PATH
from tocsin.org.http.risk import IPS_PATH
from tocsin.org.http.sign_ins import SIGN_INS_PATH
from tocsin.org.org import Clock

_DECISIONS = (IPS_PATH, BATCH_PATH, CHECK_PATH, SIGN_INS_PATH, LIVE_PATH, DECISIONS_PATH)


class Standing(Struct, frozen=True, rename="camel"):
    """How far an org is on this node."""

    ready: bool
    why_not: list[str]
    applied: int
    """The last seq that all projections have."""
    last: int
    """The last seq that is known to be in its journal; seqs of a fleet skip numbers."""
    lag: int
    """How far the index is behind, in seqs, of what is in the journal for more than a second."""


class NodeStanding(Struct, frozen=True, rename="camel"):
    """How far all orgs of a node are."""

    ready: bool
    connected: bool
    """Whether a server of the fleet is there; without one, decisions are answered from what was known."""
    orgs: dict[str, Standing]


class ServedOrg:
    """An ASGI application. Whoever opens the org says how far that is."""

    def __init__(self, config: OrgConfig, *, clock: Clock, most_lag: int, https: bool) -> None:
        self._config, self._clock, self._most_lag, self._https = config, clock, most_lag, https
        self._proxies = TrustedProxies(config.http.trusted_proxies)
        self.lag: Lag | None = None
        """None while the org is not open."""
        self.front: Front | None = None
        """None until the directory is caught up."""

    def stop(self) -> None:
        """It is about to end: end what would go on for ever."""
        if self.front is not None:
            self.front.stop()

    def standing(self) -> Standing:
        """How far it is."""
        if self.lag is None:
            return Standing(False, ["it is being opened"], 0, 0, 0)
        lag = self.lag.entries
        why_not = []
        if self.front is None:
            why_not.append("it catches up with what the journal held when it was started")
        elif lag > self._most_lag:
            why_not.append("the index is too far behind the journal for decisions")
        return Standing(not why_not, why_not, self.lag.applied, self.lag.known, lag)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return None
        path, front = scope["path"], self.front
        if path in (HEALTH_PATH, READY_PATH):
            return await tell(self._exchange(scope, receive, send), self.standing())
        if front is None or (path.startswith(_DECISIONS) and self._is_behind):
            return await self._exchange(scope, receive, send).refuse(behind())
        return await front(scope, receive, send)

    @property
    def _is_behind(self) -> bool:
        return self.lag is not None and self.lag.entries > self._most_lag

    def _exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        return Exchange(
            scope, receive, send, now=self._clock(), proxies=self._proxies, body_timeout_s=1.0, https=self._https
        )


async def tell(exchange: Exchange, standing: Standing | NodeStanding) -> None:
    """/healthz: the process answers. /readyz: `standing`, with 503 when that is not ready."""
    if exchange.path == HEALTH_PATH:
        return await exchange.answer(200, b'{"status":"ok"}')
    return await exchange.answer(200 if standing.ready else 503, msgspec.json.encode(standing))
