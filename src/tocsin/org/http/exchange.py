"""One HTTP exchange over ASGI, as the raw doors see it: reading the body within bounds, and answering."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from tocsin.org.http.client_ip import TrustedProxies, plain_address
from tocsin.org.http.errors import (
    Refusal,
    bad_argument,
    bad_content_type,
    length_required,
    not_well_formed,
    too_slow,
)
from tocsin.org.http.request_rules import check_path, is_json, is_utf_8, join_headers
from tocsin.org.ids import new_request_id
from tocsin.org.oauth.dpop import Proof
from tocsin.org.principals import Principal
from tocsin.org.rate_limit import Grant
from tocsin.org.records import Deed, Origin
from tocsin.signals.duplicate_keys import has_duplicate_keys
from tocsin.signals.limits import MAX_REQUEST_BYTES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-xss-protection", b"0"),
]
_HTTPS_ONLY: Headers = [(b"strict-transport-security", b"max-age=315360000; includeSubDomains")]
_MOST_AGENT_CHARS = 300
_MOST_FORM_BYTES = 64 * 1024
_LENGTH_MAX_DIGITS = 18  # int() refuses thousands
_NOT_STORED: Headers = [(b"cache-control", b"no-cache, no-store"), (b"pragma", b"no-cache"), (b"expires", b"0")]


SLOWEST_S = 30.0
"""How long one part of a long answer may wait for the client to take it."""


class ClientGone(Exception):
    """The client hung up before its request was whole, or does not take its answer."""


@lru_cache(maxsize=1)
def date_header(second: int) -> tuple[bytes, bytes]:
    """The Date of the answers of one second of the epoch."""
    return b"date", formatdate(second, usegmt=True).encode()


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        now: float,
        proxies: TrustedProxies,
        body_timeout_s: float,
        https: bool,
    ) -> None:
        """
        Args:
            now: epoch seconds of the org's clock: the Date that clients measure a Reset against.
            proxies: whose word about the client's address counts.
            body_timeout_s: within how many seconds the whole body must arrive.
            https: whether clients reach the org by https.
        """
        self._receive, self._send, self._proxies = receive, send, proxies
        self._scope, self._body_timeout_s, self._https = scope, body_timeout_s, https
        self.sent_method: str = scope["method"]
        self.head = self.sent_method == "HEAD"
        self.method: str = "GET" if self.head else self.sent_method
        """HEAD is GET whose answer stays without its body."""
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.raw_path: str = (scope.get("raw_path") or quote(self.path).encode()).decode("latin-1")
        """The path as it was sent, percent signs and all."""
        self._headers: dict[bytes, bytes] = {}
        self._version: str = scope.get("http_version", "1.1")
        self.request_id = new_request_id()
        self.grant: Grant | None = None
        """What the rate limit said, once it was asked."""
        self.principal: Principal | None = None
        """Who asks, once that is known."""
        self.peer = plain_address((scope.get("client") or ("",))[0])
        self.proof: Proof | None = None
        """The DPoP proof that was used up for it."""
        self.status = 0
        """Of the answer; 0 until it has begun."""
        self.now = now
        """Epoch seconds."""

    def check(self, *, any_path: bool = False) -> None:
        """
        Raise Refusal (400, 404, 405) for a request that can be read in two ways. Nothing else works before this.

        Args:
            any_path: whether the path is nobody's but a client's of somebody else.
        """
        self._headers = join_headers(self._scope["headers"])
        if not any_path:
            check_path(self.path, self.raw_path)
        if self._scope.get("http_version") == "1.1" and not self._headers.get(b"host"):
            raise bad_argument("no Host header")  # RFC 9112, 3.2

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def all_headers(self, name: bytes) -> list[str]:
        """Every request header with this lower-case name."""
        return [value.decode("latin-1") for known, value in self._scope["headers"] if known == name]

    @property
    def started(self) -> bool:
        """Whether the answer has begun."""
        return self.status != 0

    @property
    def client_ip(self) -> str:
        """The address of whoever asks, also from behind a trusted proxy; empty when it is not known."""
        return self._proxies.client_ip(self.peer, self.header(b"x-forwarded-for"))

    def deed(self) -> Deed:
        """What is done with this request: now, and by its principal."""
        assert self.principal is not None
        agent = (self.header(b"user-agent") or "")[:_MOST_AGENT_CHARS]
        origin = Origin(self.request_id, self.client_ip, agent, self.path)
        return Deed(int(self.now * 1000), self.principal.author, origin)

    def refuse_unmeasured(self) -> None:
        """Raise Refusal (411) for a body of which neither a length nor an end is told."""
        is_told = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        if self.method in ("POST", "PUT") and not is_told and self._version.startswith("1"):
            raise length_required()

    def refuse_large(self) -> None:
        """Raise Refusal (413) when the body is announced as too large."""
        length = self._headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > _LENGTH_MAX_DIGITS or int(length) > MAX_REQUEST_BYTES:
            raise not_well_formed(413)

    async def body(self, *, most_bytes: int = MAX_REQUEST_BYTES) -> bytes:
        """The whole body. Raises Refusal (408, 413), ClientGone."""
        return await read_body(self._receive, at_most=most_bytes, within_s=self._body_timeout_s)

    async def json_body(self, *, unique_keys: bool = True) -> bytes:
        """
        The whole body, when its type is JSON in UTF-8.

        Args:
            unique_keys: refuse objects that name a member twice; False where the decoder sees to that.
        Raises: Refusal (400, 408, 413), ClientGone.
        """
        body = await self.body()
        if not body:
            raise not_well_formed()
        coded = {b"content-encoding": b"identity", b"transfer-encoding": b"chunked"}  # all that we can undo
        if any(self._headers.get(name, known).lower() != known for name, known in coded.items()) or not is_json(
            self.header(b"content-type") or ""
        ):
            raise bad_content_type()
        if not is_utf_8(body) or (unique_keys and has_duplicate_keys(body)):
            raise not_well_formed()
        return body

    async def form_body(self) -> bytes:
        """The whole body, when its type is that of a form, or it is empty. Raises Refusal (400, 413), ClientGone."""
        body = await self.body(most_bytes=_MOST_FORM_BYTES)
        media_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if body and media_type != "application/x-www-form-urlencoded":
            raise bad_content_type()
        return body

    async def receive(self) -> Message:
        """The next ASGI message. Raises ClientGone."""
        return await _next(self._receive)

    async def answer(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        """Send the whole answer; `body` is JSON, and an empty one has no Content-Type."""
        headers = headers or []
        if body:
            headers = [_JSON, (b"content-length", str(len(body)).encode()), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refusal) -> None:
        """Send the answer of `refusal`."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in refusal.headers.items()]
        await self.answer(refusal.status, refusal.body(), headers)

    async def send(self, message: Message) -> None:
        """Send one ASGI message; the first gets the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status, own = message["status"], message["headers"]
            message = {**message, "headers": [*own, *self._common_headers(self.status, own)]}
        elif self.head:
            message = {**message, "body": b""}
        await self._send(message)

    def _common_headers(self, status: int, own: Headers) -> Headers:
        headers = [date_header(int(self.now)), *_ALWAYS]
        if self._https:
            headers += _HTTPS_ONLY
        says_cache = any(name == b"cache-control" for name, _ in own)
        if status != 429 and not says_cache:  # seen: no cache headers on a 429, and neither id nor limits on a 405
            headers += _NOT_STORED
        if status != 405:
            headers.append((b"x-okta-request-id", self.request_id.encode()))
            headers += self._rate_headers()
        return headers

    def _rate_headers(self) -> Headers:
        if self.grant is None:
            return []
        return [
            (b"x-rate-limit-limit", str(self.grant.limit).encode()),
            (b"x-rate-limit-remaining", str(self.grant.remaining).encode()),
            (b"x-rate-limit-reset", str(self.grant.reset).encode()),
        ]


async def read_body(receive: Receive, *, at_most: int, within_s: float) -> bytes:
    """
    The whole body of a request.

    Raises: Refusal, 413 when it has more than `at_most` bytes, 408 when it is not there `within_s` seconds; ClientGone.
    """
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(within_s):
            while more:
                message = await _next(receive)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > at_most:
                    raise not_well_formed(413)
                more = message.get("more_body", False)
    except TimeoutError:
        raise too_slow() from None
    return b"".join(parts)


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message
