"""Granian on a socket of ours, in the event loop that runs already."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tocsin.sources.errors import SourceError

LOOPBACK = "127.0.0.1"
_BACKLOG = 128
_CLOSE_AT_MOST_S = 5


@contextmanager
def listening_on(place: str) -> Iterator[socket.socket]:
    """
    A socket that listens at `HOST:PORT` or `PORT`; port 0 picks a free one.

    Raises: SourceError, when that is not possible.
    """
    host, _, port = place.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"cannot listen on {place}: {why}", hint="choose another port, or an address of ours"
        ) from None
    with listening:
        listening.setblocking(False)
        yield listening


@asynccontextmanager
async def serving(application: Any, listening: socket.socket) -> AsyncIterator[None]:
    """Answers requests for as long as it is open; those under way are answered before it closes."""
    from granian.constants import Interfaces  # here: only who listens pays for it
    from granian.log import LogLevels
    from granian.net import SocketHolder  # type: ignore[attr-defined]
    from granian.server.embed import Server

    class OneSocketServer(Server):
        def _init_shared_socket(self) -> None:
            # Granian's own types do not say that it takes a socket; its worker processes are handed one this way.
            holder: Any = SocketHolder(listening.detach(), False, _BACKLOG)  # type: ignore[call-arg]
            self._shd = holder

    server = OneSocketServer(
        application, interface=Interfaces.ASGINL, log_level=LogLevels.error, websockets=False, backlog=_BACKLOG
    )
    server.workers_kill_timeout = _CLOSE_AT_MOST_S
    ready = asyncio.Event()
    server.on_startup(ready.set)
    task = asyncio.create_task(server.serve())
    try:
        await ready.wait()
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task
