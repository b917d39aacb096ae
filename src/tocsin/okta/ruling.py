"""What an answer leads to: is it final, sent again and when, or followed elsewhere. Pure: clock and dice come in."""

from datetime import datetime
from urllib.parse import urljoin, urlsplit

from tocsin.okta.exceptions import ConnectionException, ConnectionLostException, RedirectException
from tocsin.okta.rate_limit import wait_asked_s
from tocsin.okta.request import Request
from tocsin.okta.rest import RESTResponse

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 20.0
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_PORTS = {"http": 80, "https": 443}


def retry_wait_s(
    reply: RESTResponse | ConnectionException,
    *,
    repeatable: bool,
    attempt: int,
    max_wait_s: float,
    now: datetime,
    draw: float,
) -> float | None:
    """
    Seconds after which to send again, or None when this reply is final.

    Args:
        repeatable: whether the operation may be done twice; others repeat only what surely was not done.
        attempt: how many requests came before this one.
        max_wait_s: when the org asks for more than this, its answer is final.
        now: an aware time; used only where the answer carries no Date.
        draw: from 0 to 1.
    """
    if not _may_repeat(reply, repeatable=repeatable):
        return None
    asked = wait_asked_s(reply.status, reply.headers, now=now) if isinstance(reply, RESTResponse) else None
    if asked is None:
        return min(_backoff_s(attempt, draw=draw), max_wait_s)
    return asked if asked <= max_wait_s else None


def redirect_url(request: Request, response: RESTResponse, *, hops: int, cross_host: bool) -> str | None:
    """
    Where to send `request` next; None when `response` is no redirect.

    Args:
        hops: redirects followed so far.
        cross_host: whether a credential may go along to another host.
    Raises: RedirectException, for a redirect that would lose the body, show the credential, or go round in circles.
    """
    location = response.getheader("Location")
    if response.status not in _REDIRECTS or not location:
        return None
    target = urljoin(request.url, location)
    if hops >= MAX_REDIRECTS:
        raise _refused(response, target, "there were too many redirects before", "check the host")
    if request.method != "GET" and response.status not in _KEEP_METHOD:
        raise _refused(response, target, "it asks to drop what was sent", "set the host to where it leads")
    if _origin(target) is None:
        raise _refused(response, target, "it does not lead to an http or https address", "check the host")
    if _origin(target) != _origin(request.url) and request.carries_credential and not cross_host:
        hint = "set the host to where it leads, or allow_cross_host_redirects=True when you trust it with the token"
        raise _refused(response, target, "that is another host, and the request carries a credential", hint)
    return target


def _may_repeat(reply: RESTResponse | ConnectionException, *, repeatable: bool) -> bool:
    if isinstance(reply, ConnectionException):
        return repeatable and isinstance(reply, ConnectionLostException)
    return reply.status in (429, 503) or (repeatable and 500 <= reply.status <= 599)


def _backoff_s(attempt: int, *, draw: float) -> float:
    # Full jitter. The exponent is clamped, not the result: 2.0**1024 raises OverflowError.
    return min(BACKOFF_BASE_S * 2.0 ** min(attempt, 30), BACKOFF_CAP_S) * draw


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _refused(response: RESTResponse, target: str, why: str, hint: str) -> RedirectException:
    parts = urlsplit(target)
    # Only the host is shown: what follows it may hold a secret.
    reason = f"{response.reason}, to {parts.scheme}://{parts.netloc.rpartition('@')[2]}, was not followed: {why}"
    return RedirectException(reason=reason, http_resp=response, hint=hint)
