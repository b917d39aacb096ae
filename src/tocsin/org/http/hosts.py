"""The ASGI application of a node: whose a request is, its Host says."""

from tocsin.org.fleet.node import Node
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import path_not_found
from tocsin.org.http.exchange import Exchange, Receive, Scope, Send
from tocsin.org.http.health import HEALTH_PATH, READY_PATH
from tocsin.org.http.metrics import METRICS_PATH, Figures, needs_no_token, tell_metrics
from tocsin.org.http.served import NodeStanding, ServedOrg, tell
from tocsin.org.org import Clock


class Hosts:
    """Hands each request to the org of its Host. Whoever asks how the node is need name none."""

    def __init__(self, node: Node, *, clock: Clock) -> None:
        self._node, self._clock = node, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        org = self._org_of(scope)
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
        if exchange.path in (HEALTH_PATH, READY_PATH):
            return await tell(exchange, self._standing())
        return await exchange.refuse(path_not_found())

    def _org_of(self, scope: Scope) -> ServedOrg | None:
        orgs, asked = self._node.orgs(), _host(scope)
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
        ready = self._node.looks and all(one.ready for one in orgs.values())
        return NodeStanding(ready, self._node.connected, orgs)


def _host(scope: Scope) -> str:
    """In lower case, without a port or a dot at its end; empty when there is none, or several."""
    named = [value for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1:
        return ""
    host = str(named[0], "latin-1").lower()
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].rstrip(".")
