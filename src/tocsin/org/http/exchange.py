"""One HTTP exchange over ASGI, as the raw doors see it: reading the body within bounds, and answering."""

from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import Refusal, bad_content_type, not_well_formed
from tocsin.org.ids import new_request_id
from tocsin.org.principals import Principal
from tocsin.org.rate_limit import Grant
from tocsin.org.records import Deed, Origin
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
]
_MOST_AGENT_CHARS = 300
_LENGTH_MAX_DIGITS = 18  # int() refuses thousands
_NOT_STORED: Headers = [(b"cache-control", b"no-cache, no-store"), (b"pragma", b"no-cache"), (b"expires", b"0")]


SLOWEST_S = 30.0
"""How long one part of a long answer may wait for the client to take it."""


class ClientGone(Exception):
    """The client hung up before its request was whole, or does not take its answer."""


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, now: float, proxies: TrustedProxies) -> None:
        """
        Args:
            now: epoch seconds of the org's clock: the Date that clients measure a Reset against.
            proxies: whose word about the client's address counts.
        """
        self._receive, self._send, self._proxies = receive, send, proxies
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = new_request_id()
        self.grant: Grant | None = None
        """What the rate limit said, once it was asked."""
        self.principal: Principal | None = None
        """Who asks, once that is known."""
        self.peer: str = (scope.get("client") or ("",))[0]
        self.status = 0
        """Of the answer; 0 until it has begun."""
        self._now = now

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

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
        return Deed(int(self._now * 1000), self.principal.author, origin)

    def refuse_large(self) -> None:
        """Raise Refusal (413) when the body is announced as too large."""
        length = self._headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > _LENGTH_MAX_DIGITS or int(length) > MAX_REQUEST_BYTES:
            raise not_well_formed(413)

    async def body(self) -> bytes:
        """The whole body. Raises Refusal (413) when it is too large, ClientGone."""
        parts, size, more = [], 0, True
        while more:
            message = await self.receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MAX_REQUEST_BYTES:
                raise not_well_formed(413)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def json_body(self) -> bytes:
        """The whole body, when its type is JSON in UTF-8. Raises Refusal (400, 413), ClientGone."""
        media_type, _, parameters = (self.header(b"content-type") or "").lower().partition(";")
        body = await self.body()
        if not body:
            raise not_well_formed()
        charset = parameters.strip().removeprefix("charset=").strip('"')
        if media_type.strip() != "application/json" or charset not in ("", "utf-8"):
            raise bad_content_type()
        return body

    async def receive(self) -> Message:
        """The next ASGI message. Raises ClientGone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

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
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], *self._common_headers(message["status"])]}
        await self._send(message)

    def _common_headers(self, status: int) -> Headers:
        headers = [(b"date", formatdate(self._now, usegmt=True).encode()), *_ALWAYS]
        if status != 429:  # seen: no cache headers on a 429, and neither id nor limits on a 405
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
