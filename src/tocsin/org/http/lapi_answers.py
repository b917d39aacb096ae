"""Answers in the form of CrowdSec's Local API: JSON in UTF-8, short or long; long ones in chunks."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Iterable

from tocsin.org.crowdsec.decisions import go_json
from tocsin.org.http.exchange import SLOWEST_S, ClientGone, Headers, Message, Send, date_header

_JSON = (b"content-type", b"application/json; charset=utf-8")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
AREA = "/v1/"
CHUNK_CHARS = 32 * 1024


class Answers:
    """Short answers, and the head of long ones."""

    def __init__(self, clock: Callable[[], float], counts: Counter[tuple[str, int]]) -> None:
        self._clock, self._counts = clock, counts

    async def whole(self, send: Send, status: int, body: bytes, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """A JSON body."""
        headers = [_JSON, (b"content-length", b"%d" % len(body)), *more]
        await send(self.start(status, headers))
        await send({"type": "http.response.body", "body": body})

    async def empty(self, send: Send, status: int, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """No body."""
        await send(self.start(status, [(b"content-length", b"0"), *more]))
        await send({"type": "http.response.body", "body": b""})

    async def told(self, send: Send, status: int, message: str) -> None:
        """What went wrong."""
        await self.whole(send, status, f'{{"message":{go_json(message)}}}'.encode())

    async def head(self, send: Send) -> None:
        """200 to a HEAD, which is told as little as by CrowdSec."""
        await self.empty(send, 200, [_TEXT])

    def start(self, status: int, headers: Headers) -> Message:
        """The message with status and headers, with the date; it counts as an answer."""
        headers.append(date_header(int(self._clock())))
        self._counts[AREA, status] += 1
        return {"type": "http.response.start", "status": status, "headers": headers}


class LongAnswer:
    """
    200 with a long JSON text, zipped if that was asked for. Holds no more than a chunk.

    All methods raise ClientGone, when the client does not take what it is sent.
    """

    def __init__(self, answers: Answers, send: Send, *, zipped: bool) -> None:
        self._answers, self._send = answers, send
        self._zip = zlib.compressobj(1, wbits=31) if zipped else None
        self._parts: list[str] = []
        self._chars = 0
        self._started = False

    async def write(self, text: str) -> None:
        """More of it."""
        self._parts.append(text)
        self._chars += len(text)
        if self._chars >= CHUNK_CHARS:
            await self._flush(more=True)

    async def end(self, text: str) -> None:
        """The last of it."""
        self._parts.append(text)
        await self._flush(more=False)

    async def _flush(self, *, more: bool) -> None:
        chunk = "".join(self._parts).encode()
        self._parts, self._chars = [], 0
        if self._zip is not None:
            chunk = self._zip.compress(chunk) + (b"" if more else self._zip.flush())
        if not self._started:
            self._started = True
            headers: Headers = [_JSON]
            if self._zip is not None:
                headers.append((b"content-encoding", b"gzip"))
            if not more:
                headers.append((b"content-length", b"%d" % len(chunk)))
            await self._send(self._answers.start(200, headers))
        try:
            async with asyncio.timeout(SLOWEST_S):
                await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        except TimeoutError:
            raise ClientGone from None
