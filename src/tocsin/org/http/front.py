"""The front door: every request passes here once, for authorization, rate limit, routing, refusals and headers."""

import math
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from traceback import format_exception

import structlog

from tocsin.errors import TocsinError
from tocsin.journal import JournalError, JournalUnreachable
from tocsin.org.freshness import Unconfirmed
from tocsin.org.http.access import AREAS, SCOPES, Area, area_of
from tocsin.org.http.api import OPENAPI_PATH
from tocsin.org.http.authorization import authorize, check_allowed, use_up_proof
from tocsin.org.http.batch import BATCH_PATH, tell_about_ips
from tocsin.org.http.check import CHECK_PATH, CheckDoor, is_check
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.clients import ClientDoors
from tocsin.org.http.doors import Doors
from tocsin.org.http.errors import (
    Refusal,
    cannot_write,
    fault,
    not_acceptable,
    not_well_formed,
    oauth_fault,
    oauth_refused,
    path_not_found,
    too_many_requests,
)
from tocsin.org.http.exchange import ClientGone, Exchange, Receive, Scope, Send
from tocsin.org.http.grants import GrantDoors
from tocsin.org.http.health import (
    HEALTH_PATH,
    READY_PATH,
    tell_alive,
    tell_ready,
)
from tocsin.org.http.in_flight import InFlight
from tocsin.org.http.lapi import BouncerDoor
from tocsin.org.http.live import LIVE_PATH, LiveDoor
from tocsin.org.http.logs import LOGS_PATH, tell_log
from tocsin.org.http.metrics import METRICS_PATH, OrgMetrics, needs_no_token
from tocsin.org.http.oauth import OAuthDoors
from tocsin.org.http.openapi import Published
from tocsin.org.http.policy import POLICY_PATH, replace_policy, tell_policy
from tocsin.org.http.providers import ProviderDoors
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

    def __init__(self, org: Org, *, base_url: str, name: str | None = None) -> None:
        """
        Args:
            base_url: where clients reach the org, without a slash at the end; links are made from it.
            name: what its metrics are labelled with; None where it is alone.
        """
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
        self.metrics = OrgMetrics(org, name)
        self._bouncers = BouncerDoor(org, self.metrics.answers)
        self._live = LiveDoor(org)
        self._check = CheckDoor(org, self._proxies)
        # These ask for no authorization, or find out by themselves who asks.
        self._open = Doors(
            {
                **oauth,
                ("GET", HEALTH_PATH): tell_alive,
                ("GET", READY_PATH): partial(tell_ready, org),
                ("GET", OPENAPI_PATH): Published(base_url).tell,
            }
        )
        self._doors = Doors(
            {
                ("GET", METRICS_PATH): self.metrics.tell,
                ("POST", RISK_EVENTS_PATH): partial(take_risk_events, org),
                ("GET", LOGS_PATH): partial(tell_log, org, base_url=base_url),
                ("GET", IPS_PATH + "{+ip}"): partial(tell_about_ip, org),
                ("POST", BATCH_PATH): partial(tell_about_ips, org),
                ("GET", POLICY_PATH): partial(tell_policy, org),
                ("PUT", POLICY_PATH): partial(replace_policy, org),
                ("POST", SIGN_INS_PATH): partial(evaluate_sign_in, org),
                ("GET", LIVE_PATH): self._live.answer,
                **ProviderDoors(org, base_url).doors(),
                **ClientDoors(org, base_url).doors(),
                **GrantDoors(org, self._server).doors(),
            }
        )

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of everything that is answered here; `{}` stands for a value in the path."""
        return {("GET", CHECK_PATH)}.union(*(table.routes() for table in (self._doors, self._open, self._bouncers)))

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
                await self._serve(exchange, area)
        except Exception as error:  # the one place where a mistake of ours becomes an answer
            await self._refuse(exchange, error)
        finally:
            self.metrics.answers[area.prefix, exchange.status] += 1

    async def _refuse(self, exchange: Exchange, error: Exception) -> None:
        # Not in the frame that the traceback of `error` holds: a refusal that is kept there keeps itself, the exchange
        # and so the server's connection, until garbage is collected.
        refusal = _refusal_for(error)
        if refusal.status == 500 and self._oauth.knows(exchange.path):
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

    async def _serve(self, exchange: Exchange, area: Area) -> None:
        method, path = exchange.method, exchange.path
        exchange.check(any_path=is_check(path))  # a proxy may append the path that it was asked for
        if door := self._open.find(method, path):
            return await door(exchange)
        if not (self._check.open_to(exchange) or needs_no_token(self._org.config.http, exchange)):
            await self._let_in(exchange, area)
        if is_check(path):
            return await self._check.answer(exchange)
        if door := self._doors.find(method, path):
            return await door(exchange)
        raise path_not_found()

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
