"""Getting an access token, from the first request to the last, without I/O: a generator like `exchange`.

Sources: RFC 6749 4.4 (client credentials) and 5 (answers), RFC 7523 (assertion), RFC 9449 5 and 8 (DPoP and its nonce).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from tocsin.okta.attempts import Attempts
from tocsin.okta.exceptions import (
    ApiException,
    ConnectionException,
    RedirectException,
    TokenException,
    UnexpectedAnswerException,
    class_for,
)
from tocsin.okta.oauth.assertion import ASSERTION_TYPE, client_assertion
from tocsin.okta.oauth.hints import hint_for
from tocsin.okta.oauth.keys import SigningKey
from tocsin.okta.oauth.session import Session
from tocsin.okta.oauth.token import AccessToken, Life
from tocsin.okta.request import Request
from tocsin.okta.rest import RESTResponse
from tocsin.okta.steps import Send, Steps, Wait

_logger = logging.getLogger("tocsin.okta")
TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105  # a path, not a secret


class TokenRequest(NamedTuple):
    """What to ask for, and as whom."""

    url: str
    client_id: str
    key: SigningKey
    scopes: tuple[str, ...]
    must_be_bound: bool
    """Whether a token that is not bound to the DPoP key is refused."""
    headers: Mapping[str, str]
    """To send along, such as User-Agent."""
    timeout_s: tuple[float, float]

    def __repr__(self) -> str:
        return f"<TokenRequest {self.client_id} at {self.url}>"


class _Granted(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    token_type: str
    expires_in: Annotated[float, msgspec.Meta(ge=0)] | None = None
    scope: str | None = None


def token_exchange(
    wanted: TokenRequest,
    session: Session,
    attempts: Attempts,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Steps[AccessToken]:
    """
    The steps to a token; returns it.

    What a refusal teaches (a nonce, that DPoP is needed, that our clock is off) is put right once each, and at once.

    Raises: TokenException when the org refuses, TooManyRequestsException, ServiceException, ConnectionException,
        UnexpectedAnswerException when the answer is no token, RedirectException; all with `about_token` set.
    """
    try:
        return (yield from _exchange(wanted, session, attempts, clock=clock, new_id=new_id))
    except ApiException as error:
        error.about_token = True
        raise


def _exchange(
    wanted: TokenRequest,
    session: Session,
    attempts: Attempts,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Steps[AccessToken]:
    mended: set[str] = set()
    while True:
        sent_at = clock()
        assertion = client_assertion(
            wanted.key, wanted.client_id, wanted.url, now=session.org_time(sent_at), jti=new_id()
        )
        reply = yield Send(attempts.marked(_request(wanted, session, assertion, now=sent_at, new_id=new_id)))
        assert isinstance(reply, RESTResponse | ConnectionException)
        if isinstance(reply, RESTResponse):
            if reply.status == 200:
                session.learn_nonce("authorization", reply)
                session.learn_clock(reply, sent_at=sent_at, now=clock())
                return _token(reply, wanted, session, sent_at)
            mend = _learn(reply, session, sent_at=sent_at, now=clock())
            if mend is not None and mend not in mended:
                mended.add(mend)
                continue
        wait_s = attempts.wait_s(reply)
        if wait_s is None:
            raise _refusal(reply, assertion)
        yield Wait(wait_s)


def _request(
    wanted: TokenRequest, session: Session, assertion: str, *, now: datetime, new_id: Callable[[], str]
) -> Request:
    form = {
        "grant_type": "client_credentials",
        "scope": " ".join(wanted.scopes),
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    headers = dict(wanted.headers) | {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    request = Request("POST", wanted.url, {}, urlencode(form).encode(), wanted.timeout_s, secret_body=True)
    for name, value in headers.items():
        request = request.with_header(name, value)
    if not session.uses_dpop:
        return request
    return request.with_header("DPoP", session.proof("authorization", "POST", wanted.url, now=now, jti=new_id()))


def _learn(answer: RESTResponse, session: Session, *, sent_at: datetime, now: datetime) -> str | None:
    """What was wrong with the request and is now put right, by name; None when it would be refused again."""
    used_dpop, has_new_nonce = session.uses_dpop, session.learn_nonce("authorization", answer)
    clock_was_off = session.learn_clock(answer, sent_at=sent_at, now=now)
    match ApiException(http_resp=answer).error_code:
        case "use_dpop_nonce":
            session.uses_dpop = True
            return "nonce" if has_new_nonce or not used_dpop else None
        case "invalid_dpop_proof" if not used_dpop:
            session.uses_dpop = True
            return "proof"
        case "invalid_dpop_proof" | "invalid_client" if clock_was_off:
            return "clock"
        case _:
            return None


def _token(answer: RESTResponse, wanted: TokenRequest, session: Session, sent_at: datetime) -> AccessToken:
    try:
        granted = msgspec.json.decode(answer.data, type=_Granted, strict=False)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _unexpected(answer, "a body that is no access token") from None
    kind = granted.token_type.lower()
    if kind not in ("bearer", "dpop") or (kind == "dpop" and not session.uses_dpop):
        raise _unexpected(answer, "an access token of a kind that was not asked for")
    if kind == "bearer" and wanted.must_be_bound:
        hint = "have the app require DPoP in the org, or leave `dpop` out: it is used where an app requires it"
        raise _unexpected(answer, "an access token that is not bound to the DPoP key", hint)
    # RFC 6749, 5.1: without `scope` it is what was asked for.
    scopes = frozenset(wanted.scopes if granted.scope is None else granted.scope.split())
    if left_out := [scope for scope in wanted.scopes if scope not in scopes]:
        _logger.warning("%s left out scopes that %s asked for: %s", wanted.url, wanted.client_id, " ".join(left_out))
    life = None if granted.expires_in is None else Life.of(granted.expires_in, since=sent_at)
    return AccessToken(granted.access_token, scopes, life, session if kind == "dpop" else None)


def _unexpected(answer: RESTResponse, what: str, hint: str | None = None) -> UnexpectedAnswerException:
    # Without its body, which may hold a token.
    shown = RESTResponse(answer.status, answer.reason, answer.headers, b"", url=answer.url)
    return UnexpectedAnswerException(reason=f"{answer.reason}, with {what}", http_resp=shown, hint=hint)


def _refusal(reply: RESTResponse | ConnectionException, assertion: str) -> ApiException:
    if isinstance(reply, ConnectionException):
        return reply
    # Something on the way may send back what it was sent.
    data = reply.data.replace(assertion.encode(), b"(hidden)")
    answer = RESTResponse(reply.status, reply.reason, reply.headers, data, url=reply.url)
    if 300 <= reply.status <= 399:
        place = urlsplit(reply.getheader("Location") or "").netloc.rpartition("@")[2]
        reason = (
            f"{reply.reason}, to {place or 'nowhere'}, was not followed: a token is asked for at the host that was set"
        )
        return RedirectException(reason=reason, http_resp=answer, hint="set the host to the URL of the org itself")
    if reply.status == 429 or reply.status >= 500:
        return class_for(reply.status)(http_resp=answer)
    refused = TokenException(http_resp=answer)
    refused.hint = hint_for(refused.error_code, refused.error_description)
    return refused
