"""A TCP proxy of the test's own: passes on what comes, until it is told to swallow what one side says."""

import asyncio
from contextlib import suppress
from typing import Self


class DeafProxy:
    """Stands before one server on loopback. An async context manager."""

    def __init__(self, port: int) -> None:
        """`port` is that of the server."""
        self.swallows_answers = False
        self.swallowed = 0
        """How often something from the server was swallowed."""
        self.accepted = 0
        """How many connections there have been."""
        self._to = port
        self._server: asyncio.Server | None = None
        self._passing = set[asyncio.Task[None]]()
        self._writers = set[asyncio.StreamWriter]()
        self._clients = set[asyncio.StreamWriter]()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """End all connections that are there."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        self._clients.clear()

    def say(self, words: bytes) -> None:
        """Tell the clients what no server said."""
        for writer in self._clients:
            writer.write(words)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        there, server = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, server}
        self._clients.add(writer)
        for passing in (self._pass(reader, server, answers=False), self._pass(there, writer, answers=True)):
            task = asyncio.create_task(passing)
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while some := await reader.read(65536):
                if answers and self.swallows_answers:
                    self.swallowed += 1
                    continue
                writer.write(some)
                await writer.drain()
        writer.close()
