"""Granian, embedded in the event loop that runs already, on a socket that listens already."""

import socket
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

_HEADERS_MAX_BYTES = 64 * 1024


class OneSocketServer(Server):
    """An ASGI application on one socket. `serve` runs until `stop`, and answers what is under way before it returns."""

    def __init__(
        self,
        application: Any,
        listening: socket.socket,
        *,
        backlog: int,
        header_timeout_s: float,
        close_at_most_s: int,
        connections: int | None = None,
    ) -> None:
        """
        Args:
            listening: becomes the server's.
            header_timeout_s: within how many seconds the head of a request must arrive.
            close_at_most_s: for how many seconds `stop` waits for what is under way.
            connections: how many are served at a time; as many as Granian thinks when None.
        """
        self._listening = listening
        super().__init__(
            application,
            interface=Interfaces.ASGINL,
            log_level=LogLevels.error,
            websockets=False,
            # Not HTTP/2 in the clear: while the server waits to learn which of the two it will be, no timeout runs.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(header_timeout_s * 1000), max_buffer_size=_HEADERS_MAX_BYTES
            ),
            backlog=backlog,
            backpressure=connections,
        )
        self.workers_kill_timeout = close_at_most_s

    def _init_shared_socket(self) -> None:
        # Granian's own types do not say that it takes a socket; its worker processes are handed one this way.
        holder: Any = SocketHolder(self._listening.detach(), False, self.backlog)  # type: ignore[call-arg]
        self._shd = holder
