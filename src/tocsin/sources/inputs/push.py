"""A small door where others POST records, in any format that is read. 202 is answered once they are durable.

One token opens it; it listens on this machine unless told otherwise, and speaks no TLS: in a network a proxy that does
stands before it. What is posted is read when the relay has time for it, so whoever posts too fast waits.
"""

import asyncio
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.push_server import listening_on, serving
from tocsin.sources.inputs.secrets import needed_key_of
from tocsin.sources.inputs.settings import CurrentReading, form_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.source import Clock

MOST_BYTES = 32 * 1024 * 1024
MOST_WAITING = 16
"""Requests that wait to be read; one more is told to come again."""
_WITHIN_S = 60.0
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Refused(Exception):
    """Why a request is not taken."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class _Posted(NamedTuple):
    path: Path
    kept: asyncio.Future[dict[str, object]]
    """Of what the records came to, once that is durable."""


class PushSource:
    """One door. There is no position: who was not told 202 posts again."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config = config
        self._form = form_of(config)
        # One for all: lines of a log count together, whoever posted them.
        self._reading = CurrentReading(name, config, clock)
        self.port = 0
        """Where it listens, once `batches` has begun."""

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        token = needed_key_of(self._config, "a source that listens")
        posted = asyncio.Queue[_Posted](MOST_WAITING)
        door = _Door(token, posted)
        with listening_on(str(self._config.listen)) as listening:
            self.port = listening.getsockname()[1]
            async with serving(door, listening):
                try:
                    while True:
                        one = await posted.get()
                        if one.kept.cancelled():
                            continue  # whoever posted it hung up
                        async with aclosing(self._read(one, position)) as reading:
                            async for batch in reading:
                                yield batch
                finally:
                    while not posted.empty():
                        posted.get_nowait().kept.cancel()

    async def _read(self, posted: _Posted, position: bytes) -> AsyncGenerator[Batch, None]:
        """What was posted; whoever asks for the next batch has kept the one before."""
        signals = skipped = 0
        try:
            reading = await asyncio.to_thread(self._reading.now)
        except SourceError:
            posted.kept.cancel()  # the mistake is ours, and not in what was posted
            raise
        try:
            path = str(posted.path)
            async for batch in whole(path, self._form, reading, before=position, after=position, full_list=False):
                yield batch
                signals, skipped = signals + len(batch.claims), skipped + len(batch.skipped)
        except SourceError as error:
            if not posted.kept.done():
                posted.kept.set_exception(Refused(400, str(error).replace(str(posted.path), "what was posted")))
        else:
            if not posted.kept.done():
                posted.kept.set_result({"claims": signals, "skipped": skipped})
        finally:
            posted.kept.cancel()  # whoever stopped reading did not keep it


class _Door:
    """The ASGI application."""

    def __init__(self, token: str, posted: asyncio.Queue[_Posted]) -> None:
        self._token, self._posted = token.encode(), posted

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            self._let_in(scope)
            answer = await self._take(receive)
            status = 202
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except OSError as error:  # no room, such as for a file
            status, answer = 503, {"error": f"it cannot be kept here: {error.strerror or error}; post it again later"}
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            status, answer = 503, {"error": "the relay stopped before it was kept; post it again"}
        await _answer(send, status, answer)

    def _let_in(self, scope: MutableMapping[str, Any]) -> None:
        """Raises: Refused, before a byte of the body is read."""
        headers = dict(scope["headers"])
        word, _, token = headers.get(b"authorization", b"").partition(b" ")
        if word.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
            raise Refused(401, "a bearer token is needed, and this is none that is known")
        if scope["method"] != "POST":
            raise Refused(405, "records are posted")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18 or int(length) > MOST_BYTES:
            raise Refused(413, f"at most {MOST_BYTES:,} bytes are taken at once")

    async def _take(self, receive: _Receive) -> dict[str, object]:
        with TemporaryDirectory(prefix="tocsin-") as folder:
            path = Path(folder) / "posted"
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await _write(receive, path)
            except TimeoutError:
                raise Refused(408, f"the request was not whole within {_WITHIN_S:g} s") from None
            kept: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
            try:
                self._posted.put_nowait(_Posted(path, kept))
            except asyncio.QueueFull:
                raise Refused(503, "too much waits to be read; post it again later") from None
            return await kept


async def _write(receive: _Receive, path: Path) -> None:
    size, more = 0, True
    with path.open("wb") as file:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the request breaks off")
            body = message.get("body", b"")
            size += len(body)
            if size > MOST_BYTES:
                raise Refused(413, f"at most {MOST_BYTES:,} bytes are taken at once")
            file.write(body)
            more = message.get("more_body", False)


async def _answer(send: _Send, status: int, answer: dict[str, Any]) -> None:
    body = msgspec.json.encode(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
