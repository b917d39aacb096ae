"""The front door: every request passes here once, for authorization, rate limit, routing, refusals and headers."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from traceback import format_exception
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from tocsin.errors import TocsinError
from tocsin.journal import JournalError
from tocsin.org.http.access import AREAS, PUBLIC, SCOPES, Area, area_of
from tocsin.org.http.authorization import authorize, check_allowed, use_up_proof
from tocsin.org.http.batch import BATCH_PATH, tell_about_ips
from tocsin.org.http.check import CheckDoor, is_check
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.clients import client_routes
from tocsin.org.http.errors import (
    Refusal,
    cannot_write,
    fault,
    method_not_allowed,
    oauth_fault,
    oauth_refused,
    path_not_found,
    too_many_requests,
)
from tocsin.org.http.exchange import ClientGone, Exchange, Receive, Scope, Send
from tocsin.org.http.grants import grant_routes
from tocsin.org.http.health import (
    HEALTH_PATH,
    METRICS_PATH,
    READY_PATH,
    Metrics,
    needs_no_token,
    tell_health,
    tell_ready,
)
from tocsin.org.http.lapi import BouncerDoor
from tocsin.org.http.live import LIVE_PATH, LiveDoor
from tocsin.org.http.logs import LOGS_PATH, tell_log
from tocsin.org.http.oauth import OAuthDoors
from tocsin.org.http.policy import POLICY_PATH, replace_policy, tell_policy
from tocsin.org.http.providers import provider_routes
from tocsin.org.http.risk import IPS_PATH, RISK_EVENTS_PATH, take_risk_events, tell_about_ip
from tocsin.org.http.sign_ins import SIGN_INS_PATH, evaluate_sign_in
from tocsin.org.oauth.refusals import OAuthRefused
from tocsin.org.oauth.server import AuthorizationServer
from tocsin.org.org import Org
from tocsin.org.rate_limit import Grant, RateLimits
from tocsin.org.records import RATE_LIMIT_TOPIC, RateLimitExceeded

_log = structlog.get_logger("tocsin.org")


Door = Callable[[Org, Exchange], Awaitable[None]]
_DOORS: Mapping[str, Mapping[str, Door]] = {
    HEALTH_PATH: {"GET": tell_health},
    READY_PATH: {"GET": tell_ready},
    BATCH_PATH: {"POST": tell_about_ips},
    POLICY_PATH: {"GET": tell_policy, "PUT": replace_policy},
    SIGN_INS_PATH: {"POST": evaluate_sign_in},
}


class Front:
    """The ASGI application of one org."""

    def __init__(self, org: Org, *, base_url: str) -> None:
        """`base_url` is where clients reach the org, without a slash at the end; links are made from it."""
        self._org = org
        self._base_url = base_url
        limits = org.config.limits
        buckets = {area.bucket: getattr(limits, area.bucket) for area in AREAS if area.bucket is not None}
        self._limits = RateLimits(buckets, share_percent=limits.principal_share_percent)
        self._in_flight, self._most_in_flight = 0, limits.concurrent
        self._proxies = TrustedProxies(org.config.http.trusted_proxies)
        self._server = AuthorizationServer(org, issuer=base_url, known_scopes=SCOPES, settings=org.config.oauth)
        self._oauth = OAuthDoors(org, self._server, self._limits)
        self._metrics = Metrics(org)
        self._bouncers = BouncerDoor(org, self._metrics.answers)
        self._live = LiveDoor(org)
        self._check = CheckDoor(org, self._proxies)
        self._rest = Litestar(
            [provider_routes(org, base_url), client_routes(org, base_url), grant_routes(org, self._server)],
            openapi_config=None,
            logging_config=None,
            exception_handlers={Exception: _answer_to},
        )

    def stop(self) -> None:
        """The org is about to stop: end what would go on for ever."""
        self._live.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return None
        if self._bouncers.handles(scope["path"]):
            return await self._bouncers(scope, receive, send)
        exchange = Exchange(scope, receive, send, now=self._org.clock(), proxies=self._proxies)
        area = area_of(exchange.path)
        try:
            async with self._in_flight_with(exchange, area):
                await self._serve(scope, exchange, area)
        except ClientGone:
            return None
        except Exception as error:  # the one place where a mistake of ours becomes an answer
            refusal = _refusal_for(error)
            if refusal.status == 500 and self._oauth.at(exchange.path) is not None:
                refusal = oauth_fault()
            if refusal.status == 503 and exchange.proof is not None:
                self._org.used_proofs.take_back(exchange.proof)  # clients send the same again
            if not exchange.started:
                await exchange.refuse(refusal)
        finally:
            self._metrics.answers[area.prefix, exchange.status] += 1

    @asynccontextmanager
    async def _in_flight_with(self, exchange: Exchange, area: Area) -> AsyncIterator[None]:
        """One more request under way, where they are limited. Raises Refusal when there are as many as may be."""
        if area.bucket is None:
            yield
            return
        if self._in_flight >= self._most_in_flight:
            # D: limit and remaining are 0, which tells it from a window that is full. When one ends nobody knows.
            exchange.grant = Grant(allowed=False, limit=0, remaining=0, reset=math.ceil(exchange.now) + 1)
            raise too_many_requests()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def _serve(self, scope: Scope, exchange: Exchange, area: Area) -> None:
        method, path = exchange.method, exchange.path
        if (door := self._oauth.at(path)) is not None:
            return await self._oauth.serve(exchange, door)
        if not (path in PUBLIC or self._check.open_to(exchange) or needs_no_token(exchange)):
            await self._let_in(exchange, area)
        if path == RISK_EVENTS_PATH:
            _expect(method, "POST")
            return await take_risk_events(self._org, exchange)
        if path.startswith(IPS_PATH):
            _expect(method, "GET")
            return await tell_about_ip(self._org, exchange)
        if is_check(path):
            return await self._check.answer(exchange)
        if path == LIVE_PATH:
            _expect(method, "GET")
            return await self._live.answer(exchange)
        if path == METRICS_PATH:
            _expect(method, "GET")
            return await self._metrics.tell(exchange)
        if path == LOGS_PATH:
            _expect(method, "GET")
            return await tell_log(self._org, exchange, self._base_url)
        if (doors := _DOORS.get(path)) is not None:
            return await _one_of(doors, method)(self._org, exchange)
        scope["state"] = {"exchange": exchange}
        return await self._rest(scope, exchange.receive, exchange.send)  # type: ignore[arg-type]

    async def _let_in(self, exchange: Exchange, area: Area) -> None:
        """Find whose request it is. Raises Refusal, when nobody's, or it is one too many, too large or not allowed."""
        org, need = self._org, area.need(exchange.method)
        exchange.refuse_unmeasured()
        caller = await authorize(org, self._server, exchange, need=need)
        principal = exchange.principal = caller.principal
        if area.bucket is not None:
            exchange.grant = self._limits.take(area.bucket, principal.id, now=org.clock())
            if not exchange.grant.allowed:
                self._note(exchange, area)
                raise too_many_requests()
        check_allowed(caller, need)
        exchange.refuse_large()
        use_up_proof(org, exchange, caller)

    def _note(self, exchange: Exchange, area: Area) -> None:
        """Have the System Log tell of the first request that a window refuses."""
        grant = exchange.grant
        assert grant is not None
        assert area.bucket is not None
        if grant.first_refusal:
            violation = RateLimitExceeded(exchange.deed(), area.bucket, area.prefix, grant.limit, grant.reset)
            self._org.notes.soon(RATE_LIMIT_TOPIC, violation)


def _one_of(doors: Mapping[str, Door], method: str) -> Door:
    try:
        return doors[method]
    except KeyError:
        raise method_not_allowed() from None


def _expect(method: str, wanted: str) -> None:
    if method != wanted:
        raise method_not_allowed()


def _refusal_for(error: Exception) -> Refusal:
    """What to answer to `error`; one that is nobody's wrong but ours is logged here."""
    match error:
        case Refusal():
            return error
        case OAuthRefused():
            return oauth_refused(error)
        case NotFoundException():
            return path_not_found()
        case MethodNotAllowedException():
            return method_not_allowed()
        case JournalError():
            _log.error("journal.failed", error=str(error), remedy=error.hint)
            return cannot_write()
        case TocsinError():
            _log.error("request.failed", error=str(error), remedy=error.hint)
            return fault()
        case _:
            # Text, not `exc_info`: how that is told is for the log's owner to choose, and some print local variables.
            _log.error("request.failed", exception="".join(format_exception(error)))
            return fault()


def _answer_to(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, ClientGone):
        raise error
    refusal = _refusal_for(error)
    return Response(refusal.body(), status_code=refusal.status, headers=refusal.headers, media_type="application/json")
