"""One HTTP exchange over ASGI, as the raw doors see it: reading the body within bounds, and answering."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from tocsin.org.http.client_ip import TrustedProxies, plain_address
from tocsin.org.http.errors import Refusal, bad_content_type, length_required, not_well_formed
from tocsin.org.ids import new_request_id
from tocsin.org.oauth.dpop import Proof
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
_MOST_FORM_BYTES = 64 * 1024
_LENGTH_MAX_DIGITS = 18  # int() refuses thousands
_NOT_STORED: Headers = [(b"cache-control", b"no-cache, no-store"), (b"pragma", b"no-cache"), (b"expires", b"0")]


SLOWEST_S = 30.0
"""How long one part of a long answer may wait for the client to take it."""


class ClientGone(Exception):
    """The client hung up before its request was whole, or does not take its answer."""


def exchange_of(request: Any) -> "Exchange":
    """The exchange that a Litestar request belongs to."""
    exchange = request.scope["state"]["exchange"]
    assert isinstance(exchange, Exchange)
    return exchange


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
        self.raw_path: str = (scope.get("raw_path") or quote(self.path).encode()).decode("latin-1")
        """The path as it was sent, percent signs and all."""
        self._all_headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._version: str = scope.get("http_version", "1.1")
        self.request_id = new_request_id()
        self.grant: Grant | None = None
        """What the rate limit said, once it was asked."""
        self.principal: Principal | None = None
        """Who asks, once that is known."""
        self.peer = plain_address((scope.get("client") or ("",))[0])
        self.proof: Proof | None = None
        """The DPoP proof that was used up for it."""
        self.more_headers: Headers = []
        """What the answer has besides; a name may come several times."""
        self.status = 0
        """Of the answer; 0 until it has begun."""
        self.now = now
        """Epoch seconds."""

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def all_headers(self, name: bytes) -> list[str]:
        """Every request header with this lower-case name."""
        return [value.decode("latin-1") for known, value in self._all_headers if known == name]

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
        """The whole body. Raises Refusal (413) when it is too large, ClientGone."""
        parts, size, more = [], 0, True
        while more:
            message = await self.receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most_bytes:
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

    async def form_body(self) -> bytes:
        """The whole body, when its type is that of a form, or it is empty. Raises Refusal (400, 413), ClientGone."""
        body = await self.body(most_bytes=_MOST_FORM_BYTES)
        media_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if body and media_type != "application/x-www-form-urlencoded":
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
            own = [*message["headers"], *self.more_headers]
            message = {**message, "headers": [*own, *self._common_headers(message["status"], own)]}
        await self._send(message)

    def _common_headers(self, status: int, own: Headers) -> Headers:
        headers = [(b"date", formatdate(self.now, usegmt=True).encode()), *_ALWAYS]
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
