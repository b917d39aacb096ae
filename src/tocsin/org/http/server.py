"""Serves the front door over HTTP: one process, one event loop."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from typing import Any

from tocsin.descriptors import make_room_for
from tocsin.http_server import OneSocketServer
from tocsin.org.config import Http
from tocsin.org.errors import OrgError

_BACKLOG = 1024
_CLOSE_AT_MOST_S = 10


def listen(host: str, port: int) -> socket.socket:
    """
    A listening socket; port 0 picks a free one. Connections wait in it from now on.

    Raises: OrgError, when the port is taken or not allowed, or the host is not ours or unknown.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Not left to Granian: it would share the port with another process that serves it (SO_REUSEPORT).
        listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise OrgError(
            f"host {host!r} is not known: {error.strerror}", hint="name an address of this machine"
        ) from None
    except OverflowError:
        raise OrgError(f"{port} is not a port", hint="choose one of 0 to 65535") from None
    except OSError as error:
        raise OrgError(f"cannot listen on {host} port {port}: {_why(error)}", hint=_hint(error)) from None
    listening.setblocking(False)
    return listening


async def serve(
    application: Any,
    listening: socket.socket,
    *,
    settings: Http,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    """
    Serve until SIGTERM or SIGINT; what is under way is answered before this returns.

    Args:
        on_stop: told first when that comes, to end answers that would go on for ever.
    """
    server = OneSocketServer(
        application,
        listening,
        backlog=_BACKLOG,
        header_timeout_s=settings.header_timeout_s,
        close_at_most_s=_CLOSE_AT_MOST_S,
        connections=make_room_for(settings.connections),
    )

    def stop() -> None:
        on_stop()
        server.stop()  # type: ignore[no-untyped-call]

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    server.on_startup(on_ready)
    try:
        await server.serve()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is taken"
        case errno.EADDRNOTAVAIL:
            return "the address is not one of this machine"
        case errno.EACCES:
            return "this user may not use that port"
        case _:
            return error.strerror or str(error)


def _hint(error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return "name an address of this machine with --host, such as 127.0.0.1"
    return "choose another one with --port, or 0 for any that is free"
