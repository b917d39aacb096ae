"""The front door: every request passes here once, for authorization, rate limit, routing, refusals and headers."""

from traceback import format_exception
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from tocsin.errors import TocsinError
from tocsin.journal import JournalError
from tocsin.org.directory import Principal
from tocsin.org.http.authorization import authorize, may
from tocsin.org.http.errors import (
    Refusal,
    cannot_write,
    fault,
    method_not_allowed,
    not_permitted,
    path_not_found,
    too_many_requests,
)
from tocsin.org.http.exchange import ClientGone, Exchange, Receive, Scope, Send
from tocsin.org.http.providers import provider_routes
from tocsin.org.http.risk import IPS_PATH, RISK_EVENTS_PATH, take_risk_events, tell_about_ip
from tocsin.org.org import Org
from tocsin.org.rate_limit import RateLimits
from tocsin.signals.limits import REQUESTS_PER_WINDOW

_API_PATH = "/api/v1/"
_HEALTH_PATH = "/healthz"
_EVENTS_BUCKET, _API_BUCKET = "risk events", "api"
_API_REQUESTS_PER_WINDOW = 1200  # D: the table's row for /api/v1/* that is not listed by itself
_log = structlog.get_logger("tocsin.org")


class Front:
    """The ASGI application of one org."""

    def __init__(self, org: Org, *, base_url: str, requests_per_window: int = REQUESTS_PER_WINDOW) -> None:
        """
        Args:
            base_url: where clients reach the org, without a slash at the end; links are made from it.
            requests_per_window: how many requests of risk events a token may send in 60 s.
        """
        self._org = org
        self._host = base_url.partition("://")[2]
        self._limits = RateLimits({_EVENTS_BUCKET: requests_per_window, _API_BUCKET: _API_REQUESTS_PER_WINDOW})
        self._rest = Litestar(
            [provider_routes(org, base_url)],
            openapi_config=None,
            logging_config=None,
            exception_handlers={Exception: _answer_to},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, now=self._org.clock())
        try:
            await self._serve(scope, exchange)
        except ClientGone:
            return
        except Exception as error:  # the one place where a mistake of ours becomes an answer
            refusal = _refusal_for(error)
            if not exchange.started:
                await exchange.refuse(refusal)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        method, path = exchange.method, exchange.path
        if path == _HEALTH_PATH:
            _expect(method, "GET")
            return await exchange.answer(200, b'{"status":"ok"}')
        if path == RISK_EVENTS_PATH:
            _expect(method, "POST")
            principal = await self._let_in(exchange, _EVENTS_BUCKET)
            return await take_risk_events(self._org, exchange, principal)
        if path.startswith(IPS_PATH):
            _expect(method, "GET")
            await self._let_in(exchange, None)
            return await tell_about_ip(self._org, exchange)
        await self._let_in(exchange, _API_BUCKET if path.startswith(_API_PATH) else None)
        scope["state"] = {"exchange": exchange}
        return await self._rest(scope, exchange.receive, exchange.send)  # type: ignore[arg-type]

    async def _let_in(self, exchange: Exchange, bucket: str | None) -> Principal:
        """Whose request it is. Raises Refusal, when nobody's, or it is one too many, too large or not allowed."""
        org, method = self._org, exchange.method
        credential = exchange.header(b"authorization")
        principal = await authorize(org, credential, method=method, path=exchange.path, host=self._host)
        exchange.principal = principal
        if bucket is not None:
            exchange.grant = self._limits.take(bucket, principal.id, now=org.clock())
            if not exchange.grant.allowed:
                raise too_many_requests()
        if not may(principal.role, method):
            raise not_permitted()
        exchange.refuse_large()
        return principal


def _expect(method: str, wanted: str) -> None:
    if method != wanted:
        raise method_not_allowed()


def _refusal_for(error: Exception) -> Refusal:
    """What to answer to `error`; one that is nobody's wrong but ours is logged here."""
    match error:
        case Refusal():
            return error
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
