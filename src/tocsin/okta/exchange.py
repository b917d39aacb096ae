"""One call from start to end, without I/O.

`exchange` is a generator: it yields what to do next (send a request, wait, fetch a token) and is told what came of it.
The sync and the async client drive the same generator, so there is one place that knows the order of things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tocsin.okta.attempts import Attempts
from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import ConnectionException, MissingScopeException
from tocsin.okta.oauth.token import AccessToken
from tocsin.okta.request import Call, Request, prepare, refuse_clear_text, wants_token
from tocsin.okta.rest import RESTResponse
from tocsin.okta.ruling import redirect_url
from tocsin.okta.settings import checked_retries, scope_list
from tocsin.okta.steps import FetchToken, Reply, Send, Steps, Wait

if TYPE_CHECKING:
    from tocsin.okta.oauth.session import Session

_GRANTS_MAY_CHANGE_AFTER = timedelta(seconds=10)  # a person at the org's console is no quicker


def exchange(
    call: Call,
    configuration: Configuration,
    default_headers: Mapping[str, str],
    *,
    clock: Callable[[], datetime],
    draw: Callable[[], float],
    new_id: Callable[[], str],
) -> Steps[RESTResponse]:
    """
    The steps of a call; returns the last answer, whatever its status.

    Args:
        clock: the time, aware.
        draw: a number from 0 to 1, for the jitter.
        new_id: a text that was never used before.
    Raises: ConnectionException, RedirectException and MissingScopeException, and what `prepare` raises.
    """
    attempts = Attempts(
        checked_retries(configuration.retries),
        repeatable=call.operation.repeatable,
        max_wait_s=configuration.max_retry_wait_s,
        clock=clock,
        draw=draw,
    )
    token = (yield from _token_for(call, configuration, clock)) if wants_token(call, configuration) else None
    request = prepare(call, configuration, default_headers, token)
    hops, renewed, proved_again = 0, False, False
    while True:
        sent_at = clock()
        reply = yield Send(_proved(attempts.marked(request), token, now=sent_at, new_id=new_id))
        assert isinstance(reply, RESTResponse | ConnectionException)
        if isinstance(reply, RESTResponse):
            if token is not None:
                if token.session and _can_be_mended(reply, token.session, sent_at, clock) and not proved_again:
                    proved_again = True
                    continue
                if reply.status == 401 and not renewed:
                    renewed = True  # once: a second refusal is not about age
                    token = _token((yield FetchToken(instead_of=token)))
                    request = request.with_header("Authorization", token.authorization)
                    continue
            target = redirect_url(request, reply, hops=hops, cross_host=configuration.allow_cross_host_redirects)
            if target is not None:
                hops, request = hops + 1, request._replace(url=target)
                refuse_clear_text(request, configuration)
                continue
        wait_s = attempts.wait_s(reply)
        if wait_s is None:
            return _answer(reply)
        yield Wait(wait_s)


def _token_for(call: Call, configuration: Configuration, clock: Callable[[], datetime]) -> Steps[AccessToken]:
    """A token with the scope that the call needs."""
    token, needed = _token((yield FetchToken(instead_of=None))), call.operation.scope
    if needed is None:
        return token
    if not token.grants(needed) and token.life and clock() - token.life.fetched_at > _GRANTS_MAY_CHANGE_AFTER:
        token = _token((yield FetchToken(instead_of=token)))
    if not token.grants(needed):
        asked = scope_list(configuration.scopes)
        raise MissingScopeException(call.operation.name, needed, asked=asked, granted=sorted(token.scopes or ()))
    return token


def _proved(request: Request, token: AccessToken | None, *, now: datetime, new_id: Callable[[], str]) -> Request:
    """The request with a DPoP proof of its own, when its token is bound to a key."""
    if token is None or token.session is None:
        return request
    proof = token.session.proof("resource", request.method, request.url, now=now, jti=new_id(), token=token.value)
    return request.with_header("DPoP", proof)


def _can_be_mended(answer: RESTResponse, session: Session, sent_at: datetime, clock: Callable[[], datetime]) -> bool:
    """Whether the answer refuses a proof, and says what another one needs."""
    from tocsin.okta.oauth.dpop import refusal

    has_new_nonce = session.learn_nonce("resource", answer)
    match refusal(answer):
        case "use_dpop_nonce":
            return has_new_nonce
        case "invalid_dpop_proof":
            return session.learn_clock(answer, sent_at=sent_at, now=clock())
        case _:
            return False


def _token(reply: Reply) -> AccessToken:
    assert isinstance(reply, AccessToken)
    return reply


def _answer(reply: RESTResponse | ConnectionException) -> RESTResponse:
    if isinstance(reply, ConnectionException):
        raise reply
    return reply
