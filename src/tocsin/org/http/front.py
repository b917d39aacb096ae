"""The front door: every request passes here once, for authorization, rate limit, routing, refusals and headers."""

import math
import re
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from traceback import format_exception
from typing import Any

import structlog
from litestar import Litestar, Request
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute

from tocsin.errors import TocsinError
from tocsin.journal import JournalError, JournalUnreachable
from tocsin.org.freshness import Unconfirmed
from tocsin.org.http.access import AREAS, SCOPES, Area, area_of
from tocsin.org.http.api import OPENAPI_PATH, allowed_methods
from tocsin.org.http.authorization import authorize, check_allowed, use_up_proof
from tocsin.org.http.batch import BATCH_PATH, tell_about_ips
from tocsin.org.http.check import CHECK_PATH, CheckDoor, is_check
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.clients import client_routes
from tocsin.org.http.doors import Doors
from tocsin.org.http.errors import (
    Refusal,
    cannot_write,
    fault,
    method_not_allowed,
    not_acceptable,
    not_well_formed,
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
from tocsin.org.http.in_flight import InFlight
from tocsin.org.http.lapi import BouncerDoor
from tocsin.org.http.live import LIVE_PATH, LiveDoor
from tocsin.org.http.logs import LOGS_PATH, tell_log
from tocsin.org.http.oauth import OAuthDoors
from tocsin.org.http.openapi import Published
from tocsin.org.http.policy import POLICY_PATH, replace_policy, tell_policy
from tocsin.org.http.providers import provider_routes
from tocsin.org.http.request_rules import accepts_json
from tocsin.org.http.risk import IPS_PATH, RISK_EVENTS_PATH, take_risk_events, tell_about_ip
from tocsin.org.http.sign_ins import SIGN_INS_PATH, evaluate_sign_in
from tocsin.org.oauth.refusals import OAuthRefused
from tocsin.org.oauth.server import AuthorizationServer
from tocsin.org.org import Org
from tocsin.org.rate_limit import Grant, RateLimits
from tocsin.org.records import RATE_LIMIT_TOPIC, RateLimitExceeded

_log = structlog.get_logger("tocsin.org")


class Front:
    """The ASGI application of one org."""

    def __init__(self, org: Org, *, base_url: str) -> None:
        """`base_url` is where clients reach the org, without a slash at the end; links are made from it."""
        self._org = org
        self._https = base_url.startswith("https://")
        limits = org.config.limits
        buckets = {area.bucket: getattr(limits, area.bucket) for area in AREAS if area.bucket is not None}
        self._limits = RateLimits(buckets, org.windows, share_percent=limits.principal_share_percent)
        self._in_flight = InFlight(limits.concurrent)
        self._proxies = TrustedProxies(org.config.http.trusted_proxies)
        self._server = AuthorizationServer(org, issuer=base_url, known_scopes=SCOPES, settings=org.config.oauth)
        oauth = OAuthDoors(org, self._server, self._limits, self._in_flight).doors()
        self._oauth = Doors(oauth)
        self._metrics = Metrics(org)
        self._bouncers = BouncerDoor(org, self._metrics.answers)
        self._live = LiveDoor(org)
        self._check = CheckDoor(org, self._proxies)
        self._rest = Litestar(
            [provider_routes(org, base_url), client_routes(org, base_url), grant_routes(org, self._server)],
            openapi_config=None,
            logging_config=None,
            exception_handlers={Exception: _pass_on},
        )
        # These ask for no authorization, or find out by themselves who asks.
        self._open = Doors(
            {
                **oauth,
                ("GET", HEALTH_PATH): partial(tell_health, org),
                ("GET", READY_PATH): partial(tell_ready, org),
                ("GET", OPENAPI_PATH): Published(base_url).tell,
            }
        )
        self._doors = Doors(
            {
                ("GET", METRICS_PATH): self._metrics.tell,
                ("POST", RISK_EVENTS_PATH): partial(take_risk_events, org),
                ("GET", LOGS_PATH): partial(tell_log, org, base_url=base_url),
                ("GET", IPS_PATH + "{ip}"): partial(tell_about_ip, org),
                ("POST", BATCH_PATH): partial(tell_about_ips, org),
                ("GET", POLICY_PATH): partial(tell_policy, org),
                ("PUT", POLICY_PATH): partial(replace_policy, org),
                ("POST", SIGN_INS_PATH): partial(evaluate_sign_in, org),
                ("GET", LIVE_PATH): self._live.answer,
            }
        )

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of everything that is answered here; `{}` stands for a value in the path."""
        framework = {
            (str(method), re.sub(r"\{[^}]*\}", "{}", route.path))
            for route in self._rest.routes
            if isinstance(route, HTTPRoute)
            for method in route.methods
            if method != "OPTIONS"
        }
        tables = (self._doors, self._open, self._bouncers)
        return framework.union({("GET", CHECK_PATH)}, *(table.routes() for table in tables))

    def stop(self) -> None:
        """The org is about to stop: end what would go on for ever."""
        self._live.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return None
        if self._bouncers.handles(scope["path"]):
            return await self._bouncers(scope, receive, send)
        exchange = Exchange(
            scope,
            receive,
            send,
            now=self._org.clock(),
            proxies=self._proxies,
            body_timeout_s=self._org.config.http.body_timeout_s,
            https=self._https,
        )
        area = area_of(exchange.path)
        try:
            with self._in_flight_with(exchange, area):
                await self._serve(scope, exchange, area)
        except Exception as error:  # the one place where a mistake of ours becomes an answer
            await self._refuse(exchange, error)
        finally:
            self._metrics.answers[area.prefix, exchange.status] += 1

    async def _refuse(self, exchange: Exchange, error: Exception) -> None:
        # Not in the frame that the traceback of `error` holds: a refusal that is kept there keeps itself, the exchange
        # and so the server's connection, until garbage is collected.
        refusal = _refusal_for(error)
        if refusal.status == 405:
            refusal.headers["allow"] = ", ".join(allowed_methods(exchange.path))
        if refusal.status == 500 and self._oauth.at(exchange.path):
            refusal = oauth_fault()
        if refusal.status == 503 and exchange.proof is not None and not isinstance(error, JournalUnreachable):
            # Clients send the same again. When no answer came it may have been done, and the proof was of use.
            await self._org.used_proofs.take_back(exchange.proof)
        if not exchange.started:
            await exchange.refuse(refusal)

    def _in_flight_with(self, exchange: Exchange, area: Area) -> AbstractContextManager[None]:
        """One more request under way, where they are limited. Raises Refusal when there are as many as may be."""
        if area.bucket is None:
            return nullcontext()
        if self._in_flight.is_full:
            # D: limit and remaining are 0, which tells it from a window that is full. When one ends nobody knows.
            exchange.grant = Grant(allowed=False, limit=0, remaining=0, reset=math.ceil(exchange.now) + 1)
            raise too_many_requests()
        return self._in_flight.one_more()

    async def _serve(self, scope: Scope, exchange: Exchange, area: Area) -> None:
        method, path = exchange.method, exchange.path
        exchange.check(any_path=is_check(path))  # a proxy may append the path that it was asked for
        if door := self._open.find(method, path):
            return await door(exchange)
        if not (self._check.open_to(exchange) or needs_no_token(self._org, exchange)):
            await self._let_in(exchange, area)
        if is_check(path):
            return await self._check.answer(exchange)
        if door := self._doors.find(method, path):
            return await door(exchange)
        if method == "OPTIONS" and allowed_methods(path):
            raise method_not_allowed()  # the framework would answer by itself
        scope["method"], scope["state"] = method, {"exchange": exchange}
        return await self._rest(scope, exchange.receive, exchange.send)  # type: ignore[arg-type]

    async def _let_in(self, exchange: Exchange, area: Area) -> None:
        """Find whose request it is. Raises Refusal, when nobody's, or it is one too many, too large or not allowed."""
        org, need = self._org, area.need(exchange.method)
        exchange.refuse_unmeasured()
        await org.freshness.confirm(or_local=area.tells_decisions)
        caller = await authorize(org, self._server, exchange, need=need)
        principal = exchange.principal = caller.principal
        if area.bucket is not None:
            exchange.grant = await self._limits.take(area.bucket, principal.id, clock=org.clock)
            if not exchange.grant.allowed:
                self._note(exchange, area)
                raise too_many_requests()
        check_allowed(caller, need)
        if area.bucket is not None and not accepts_json(exchange.header(b"accept")):
            raise not_acceptable()  # paths of our own answer whatever was asked for
        exchange.refuse_large()
        await use_up_proof(org, exchange, caller)

    def _note(self, exchange: Exchange, area: Area) -> None:
        """Have the System Log tell of the first request that a window refuses."""
        grant = exchange.grant
        assert grant is not None
        assert area.bucket is not None
        if grant.first_refusal:
            violation = RateLimitExceeded(exchange.deed(), area.bucket, area.prefix, grant.limit, grant.reset)
            self._org.notes.soon(RATE_LIMIT_TOPIC, violation)


def _refusal_for(error: Exception) -> Refusal:
    """What to answer to `error`; one that is nobody's wrong but ours is logged here."""
    match error:
        case Refusal():
            return error
        case ClientGone():
            return not_well_formed()  # or its chunks were: the server in front says the same of both
        case RecursionError():
            return not_well_formed()  # nothing but a body is nested that deep
        case OAuthRefused():
            return oauth_refused(error)
        case NotFoundException():
            return path_not_found()
        case MethodNotAllowedException():
            return method_not_allowed()
        case JournalUnreachable():
            if not isinstance(error, Unconfirmed):  # of which the log has told
                _log.error("journal.failed", error=str(error), remedy=error.hint)
            return cannot_write("No quorum of the servers that keep this org's journal answers.")
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


def _pass_on(_request: Request[Any, Any, Any], error: Exception) -> Any:
    raise error
