"""TCP proxies of a test's own, to play a network that is cut, or swallows everything, or is well again."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

from support.stream_server import StreamServer

_CHUNK = 64 * 1024
_WITHIN_S = 10.0
_T = TypeVar("_T")


class Proxy(StreamServer):
    """One port in front of another. An async context manager; `Link` is one for other threads."""

    def __init__(self, target: int) -> None:
        """`target` is the port of a server on loopback."""
        super().__init__(self._pass_on)
        self.swallows_answers = self.refuses = False
        self.swallowed = 0
        """How often something from the server was swallowed."""
        self.accepted = 0
        """How many connections there have been."""
        self.requests_flow, self.answers_flow = asyncio.Event(), asyncio.Event()
        self.requests_flow.set()
        self.answers_flow.set()
        self._target = target
        self._clients = set[asyncio.StreamWriter]()

    def say(self, words: bytes) -> None:
        """Tell the clients what no server said."""
        for writer in self._clients:
            writer.write(words)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            return
        self.accepted += 1
        self._clients.add(writer)
        try:
            await self.requests_flow.wait()
            answers, requests = await self.connect(self._target)
            ways = [self._requests(reader, requests), self._answers(answers, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                requests.close()
        except OSError:
            return  # nobody is there: the end of this connection says so
        finally:
            self._clients.discard(writer)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self.requests_flow.wait()
            writer.write(chunk)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self.answers_flow.wait()
            if self.swallows_answers:
                self.swallowed += 1
                continue
            writer.write(chunk)
            await writer.drain()


class Link:
    """One port in front of another. Made by `Network.link`; may be used from any thread."""

    def __init__(self, network: "Network", proxy: Proxy) -> None:
        self._network, self._proxy = network, proxy
        self.port = proxy.port

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._network.call(self._cut)

    def hang(self, *, requests: bool = True, answers: bool = True) -> None:
        """Let nothing through, or nothing in one direction: connections stay, and nobody is answered.

        `requests` go from who connects to who listens. While they hang, new connections do not reach the target.
        """
        for flow, hangs in ((self._proxy.requests_flow, requests), (self._proxy.answers_flow, answers)):
            if hangs:
                self._network.call(flow.clear)

    def heal(self) -> None:
        """Be well again. What was held on its way arrives."""
        self._network.call(self._heal)

    def _cut(self) -> None:
        self._proxy.refuses = True
        self._proxy.cut()

    def _heal(self) -> None:
        self._proxy.refuses = False
        self._proxy.requests_flow.set()
        self._proxy.answers_flow.set()


class Network:
    """All links of a test, served by one thread. A context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._proxies = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")

    def link(self, target: int) -> Link:
        """A new way to the port `target` of loopback."""
        return Link(self, self._run(self._proxies.enter_async_context(Proxy(target))))

    def call(self, work: Callable[[], None]) -> None:
        """Do `work` in the thread that serves, and return when it is done."""

        async def done() -> None:
            work()

        self._run(done())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._proxies.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN_S)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WITHIN_S)
