"""A TCP server of a test's own that leaves no socket open, whenever it is ended."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_WITHIN_S = 10.0
_TURNS = 5  # of the loop: what it has accepted before is told to us then


class StreamServer:
    """Calls `serve` with each connection. An async context manager.

    `asyncio.start_server` knows nothing of a connection whose task has not begun yet, and would leave it open.
    """

    def __init__(self, serve: Serve, *, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        """At `port` of loopback, a free one when it is 0; with TLS when there is a `context`."""
        self.port = port
        self._serve, self._context = serve, context
        self._tasks = set[asyncio.Task[None]]()
        self._open = set[asyncio.BaseTransport]()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepted, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for _turn in range(_TURNS):
            await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()
        async with asyncio.timeout(_WITHIN_S):
            while self._open:  # noqa: ASYNC110 - each is told by its own protocol
                await asyncio.sleep(0)

    def cut(self) -> None:
        """End all connections that are there, and those made by `connect`."""
        for transport in self._open:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to another port of loopback, ended with this server at the latest."""
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        connected = await loop.create_connection(lambda: _Known(self._open, reader), "127.0.0.1", port)
        return reader, asyncio.StreamWriter(*connected, reader, loop)

    def _accepted(self) -> "_Known":
        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._served(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return _Known(self._open, asyncio.StreamReader(), begin)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()


class _Known(asyncio.StreamReaderProtocol):
    """Notes its connection for as long as that is open."""

    def __init__(self, opened: set[asyncio.BaseTransport], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._mine = transport
        self._opened.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._opened.discard(self._mine)
