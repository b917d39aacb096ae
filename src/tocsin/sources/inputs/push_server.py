"""Where a source listens, and the server that answers there for as long as it is read."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tocsin.sources.errors import SourceError

LOOPBACK = "127.0.0.1"
_BACKLOG = 128
_HEADER_TIMEOUT_S = 15.0
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
    from tocsin.http_server import OneSocketServer  # here: only who listens pays for it

    server = OneSocketServer(
        application,
        listening,
        backlog=_BACKLOG,
        header_timeout_s=_HEADER_TIMEOUT_S,
        close_at_most_s=_CLOSE_AT_MOST_S,
    )
    ready = asyncio.Event()
    server.on_startup(ready.set)
    task = asyncio.create_task(server.serve())
    try:
        await ready.wait()
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task
