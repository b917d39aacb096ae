"""The attempts of one request: how many are left, and what a repeated one tells the org."""

import logging
from collections.abc import Callable
from datetime import datetime

from tocsin.okta.exceptions import ConnectionException
from tocsin.okta.request import Request
from tocsin.okta.rest import RESTResponse
from tocsin.okta.ruling import retry_wait_s

_logger = logging.getLogger("tocsin.okta")


class Attempts:
    """
    Counts what was sent, and rules on each reply.

    Args:
        retries: how often to repeat.
        repeatable, max_wait_s: as for `retry_wait_s`.
        clock: the time, aware.
        draw: a number from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        retries: int,
        *,
        repeatable: bool,
        max_wait_s: float,
        clock: Callable[[], datetime],
        draw: Callable[[], float],
    ) -> None:
        self._retries = retries
        self._repeatable = repeatable
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._draw = draw
        self._made = 0
        self._first_id: str | None = None

    def wait_s(self, reply: RESTResponse | ConnectionException) -> float | None:
        """Seconds until the next attempt, which is counted with that; None when `reply` is final."""
        if isinstance(reply, RESTResponse):
            self._first_id = self._first_id or reply.getheader("X-Okta-Request-Id")
        if self._made >= self._retries:
            return None
        wait_s = retry_wait_s(
            reply,
            repeatable=self._repeatable,
            attempt=self._made,
            max_wait_s=self._max_wait_s,
            now=self._clock(),
            draw=self._draw(),
        )
        if wait_s is not None:
            self._made += 1
            total = self._retries + 1
            _logger.info("%s; attempt %d of %d follows in %.1f s", _what(reply), self._made + 1, total, wait_s)
        return wait_s

    def marked(self, request: Request) -> Request:
        """The request, saying which attempt it is and which answer it follows, unless it is the first."""
        if not self._made:
            return request
        request = request.with_header("X-Okta-Retry-Count", str(self._made))
        return request.with_header("X-Okta-Retry-For", self._first_id) if self._first_id else request


def _what(reply: RESTResponse | ConnectionException) -> str:
    return f"{reply.url} answered {reply.status}" if isinstance(reply, RESTResponse) else reply.summary
