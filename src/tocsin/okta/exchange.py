"""One call from start to end, without I/O.

`exchange` is a generator: it yields what to do next (send a request, wait, fetch a token) and is told what came of it.
The sync and the async client drive the same generator, so there is one place that knows the order of things.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import NamedTuple

from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import ConnectionException
from tocsin.okta.request import Call, Request, prepare, refuse_clear_text, wants_token
from tocsin.okta.rest import RESTResponse
from tocsin.okta.ruling import redirect_url, retry_wait_s
from tocsin.okta.settings import checked_retries

_logger = logging.getLogger("tocsin.okta")


class Send(NamedTuple):
    """Send the request; answer with the response, or with why there is none."""

    request: Request


class Wait(NamedTuple):
    """Let this many seconds pass; answer with None."""

    seconds: float


class FetchToken(NamedTuple):
    """Ask the token source; answer with the token."""

    renew: bool


Step = Send | Wait | FetchToken
Reply = RESTResponse | ConnectionException | str | None
Exchange = Generator[Step, Reply, RESTResponse]


def exchange(
    call: Call,
    configuration: Configuration,
    default_headers: Mapping[str, str],
    *,
    clock: Callable[[], datetime],
    draw: Callable[[], float],
) -> Exchange:
    """
    The steps of a call; returns the last answer, whatever its status.

    Args:
        clock: the time, aware.
        draw: a number from 0 to 1, for the jitter.
    Raises: ConnectionException and RedirectException, and what `prepare` raises.
    """
    retries = checked_retries(configuration.retries)
    from_source = wants_token(call, configuration)
    token = (yield FetchToken(renew=False)) if from_source else None
    request = prepare(call, configuration, default_headers, _text(token))
    attempt, hops, first_id = 0, 0, None
    while True:
        reply = yield Send(request)
        assert isinstance(reply, RESTResponse | ConnectionException)
        if isinstance(reply, RESTResponse):
            if reply.status == 401 and from_source:
                from_source = False  # once: a second refusal is not about age
                request = request.with_header("Authorization", f"Bearer {_text((yield FetchToken(renew=True)))}")
                continue
            target = redirect_url(request, reply, hops=hops, cross_host=configuration.allow_cross_host_redirects)
            if target is not None:
                hops, request = hops + 1, request._replace(url=target)
                refuse_clear_text(request, configuration)
                continue
            first_id = first_id or reply.getheader("X-Okta-Request-Id")
        wait_s = None
        if attempt < retries:
            wait_s = retry_wait_s(
                reply,
                repeatable=call.operation.repeatable,
                attempt=attempt,
                max_wait_s=configuration.max_retry_wait_s,
                now=clock(),
                draw=draw(),
            )
        if wait_s is None:
            return _answer(reply)
        attempt += 1
        _logger.info("%s; attempt %d of %d follows in %.1f s", _what(reply), attempt + 1, retries + 1, wait_s)
        yield Wait(wait_s)
        request = request.with_header("X-Okta-Retry-Count", str(attempt))
        if first_id:
            request = request.with_header("X-Okta-Retry-For", first_id)


def _answer(reply: RESTResponse | ConnectionException) -> RESTResponse:
    if isinstance(reply, ConnectionException):
        raise reply
    return reply


def _what(reply: RESTResponse | ConnectionException) -> str:
    return f"{reply.url} answered {reply.status}" if isinstance(reply, RESTResponse) else reply.summary


def _text(token: Reply) -> str | None:
    assert token is None or isinstance(token, str)
    return token
