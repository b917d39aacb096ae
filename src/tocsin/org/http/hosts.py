"""The ASGI application of a node: whose a request is, its Host says."""

import time
from collections.abc import Callable

import structlog

from tocsin.org.fleet.node import Node
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import path_not_found
from tocsin.org.http.exchange import Exchange, Receive, Scope, Send
from tocsin.org.http.health import NodeStanding, Probes
from tocsin.org.http.metrics import METRICS_PATH, Figures, needs_no_token, tell_metrics
from tocsin.org.http.served import ServedOrg
from tocsin.org.org import Clock

_LOGGED_AT_MOST = 20
_LOGGED_AGAIN_AFTER_S = 3600.0
_HOST_CHARS = 253
_NOBODYS = "No org is served at the host that this request names."
_REMEDY = "have the proxy pass the Host on, or add an org with that host; `tocsin fleet org list` shows which there are"
_log = structlog.get_logger("tocsin.org")


class Hosts:
    """Hands each request to the org of its Host. Whoever asks how the node is need name none."""

    def __init__(self, node: Node, *, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._node, self._clock = node, clock
        self._unknown, self._probes = UnknownHosts(monotonic), Probes(self._standing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        asked = _host(scope)
        org = self._org_of(asked)
        if org is not None and scope.get("path") != METRICS_PATH:
            return await org(scope, receive, send)
        if scope["type"] != "http":
            return None
        exchange = Exchange(
            scope, receive, send, now=self._clock(), proxies=TrustedProxies([]), body_timeout_s=1.0, https=False
        )
        if exchange.method == "GET" and needs_no_token(self._node.config.http, exchange):
            return await self._tell_metrics(exchange)
        if org is not None:
            return await org(scope, receive, send)
        if self._probes.handles(exchange.path):
            return await self._probes.answer(exchange)
        self._unknown.asked(asked)
        return await exchange.refuse(path_not_found(_NOBODYS))

    def _org_of(self, asked: str) -> ServedOrg | None:
        orgs = self._node.orgs()
        # What was an org's host here is not answered by another one: its clients would take that for their own.
        if self._node.alone and asked not in self._node.hosts:
            return next((org for _, org in orgs.values()), None)
        return next((org for host, org in orgs.values() if host == asked), None)

    async def _tell_metrics(self, exchange: Exchange) -> None:
        """Of all orgs, without asking the fleet of each how far its journal is."""
        orgs = {name: org for name, (_, org) in sorted(self._node.orgs().items())}
        standing = {name: org.standing() for name, org in orgs.items()}
        figures = [Figures(org.front.metrics, standing[name].last) for name, org in orgs.items() if org.front]
        await tell_metrics(exchange, figures, {name: one.ready for name, one in standing.items()})

    def _standing(self) -> NodeStanding:
        orgs = {name: org.standing() for name, (_, org) in sorted(self._node.orgs().items())}
        why_not = [f"{name} is not ready" for name, org in orgs.items() if not org.ready]
        if not self._node.looks:
            why_not.append("it cannot find out which orgs there are")
        return NodeStanding(not why_not, why_not, self._node.connected, orgs)


class UnknownHosts:
    """Tells in the log of hosts that are no org's: each once, and few in an hour, for anybody can make them up."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._logged = set[str]()
        self._since_s = monotonic()

    def asked(self, host: str) -> None:
        """A request named it."""
        if self._monotonic() - self._since_s >= _LOGGED_AGAIN_AFTER_S:
            self._logged.clear()
            self._since_s = self._monotonic()
        host = host[:_HOST_CHARS].encode("ascii", "backslashreplace").decode()
        if host in self._logged or len(self._logged) >= _LOGGED_AT_MOST:
            return
        self._logged.add(host)
        _log.warning("host.unknown", host=host, remedy=_REMEDY)


def _host(scope: Scope) -> str:
    """In lower case, without a port or a dot at its end; empty when there is none, or several."""
    named = [value for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1:
        return ""
    host = str(named[0], "latin-1").lower()
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].rstrip(".")
