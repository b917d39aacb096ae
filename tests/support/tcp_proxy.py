"""TCP proxies of a test's own, to play a network that is cut, or swallows everything, or is well again."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

_CHUNK = 64 * 1024
_WITHIN_S = 10.0
_CLOSED_WITHIN_S = 0.05  # what is aborted is closed by the loop in one of its next turns


class Link:
    """One port in front of another. Made by `Network.link`; may be used from any thread."""

    def __init__(self, network: "Network", target: int) -> None:
        self._network, self._target = network, target
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._open = set[asyncio.StreamWriter]()
        self.port = 0

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._network.call(self._cut)

    def hang(self) -> None:
        """Let nothing through: connections stay, new ones come about, and nobody is answered."""
        self._network.call(self._flows.clear)

    def heal(self) -> None:
        """Be well again. What was held on its way arrives."""
        self._network.call(self._heal)

    async def serve(self) -> None:
        """For `Network`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """For `Network`."""
        self._server.close()

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._open:
            writer.transport.abort()

    def _heal(self) -> None:
        self._refuses = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            await self._flows.wait()
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(their_writer)
            try:
                ways = [self._pass(reader, their_writer), self._pass(their_reader, writer)]
                tasks = [asyncio.create_task(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                self._open.discard(their_writer)
                their_writer.transport.abort()
        except OSError:
            return  # nobody is there: the end of this connection says so
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._flows.wait()
            writer.write(chunk)
            await writer.drain()


class Network:
    """All links of a test, served by one thread. A context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._links: list[Link] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")

    def link(self, target: int) -> Link:
        """A new way to the port `target` of loopback."""
        link = Link(self, target)
        self._run(link.serve())
        self._links.append(link)
        return link

    def call(self, work: Callable[[], None]) -> None:
        """Do `work` in the thread that serves, and return when it is done."""

        async def done() -> None:
            work()

        self._run(done())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN_S)
        self._loop.close()

    async def _end(self) -> None:
        for link in self._links:
            link.close()
        await asyncio.sleep(_CLOSED_WITHIN_S)  # what was accepted just now begins: it would else close nothing
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # one may have been accepted just now
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(_CLOSED_WITHIN_S)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_WITHIN_S)
