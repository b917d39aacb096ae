"""Bytes to a server, and what comes back, with no HTTP client between to mend them."""

import socket
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from io import BufferedReader
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 20.0


class Answer(NamedTuple):
    """An answer as it was read; of a connection that was closed without one the status is 0."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


CLOSED = Answer(0, {}, b"")


def connect(url: str) -> socket.socket:
    """A connection to the server at `url`, whose reads end in TimeoutError rather than never."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=ANSWER_WITHIN_S)


def ask(url: str, *parts: bytes) -> Answer:
    """Send `parts` one after another on a new connection. Returns: the first answer. Raises TimeoutError."""
    with connect(url) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has said what it had to say
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    """The one answer on `connection`, without its body when that has no end. Raises TimeoutError."""
    return read_answers(connection, ["GET"])[0]


def read_answers(connection: socket.socket, methods: Sequence[str]) -> list[Answer]:
    """The next answers on `connection`, to requests with these methods. Raises TimeoutError."""
    with connection.makefile("rb") as file:
        return [_next_answer(_Reader(file), method) for method in methods]


class _Reader:
    """What `HTTPResponse` takes for a socket: one buffer for all answers, which may come in one piece."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file

    def makefile(self, _mode: str) -> "_Reader":
        return self

    def close(self) -> None:
        """The next answer is read from the same buffer."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _next_answer(reader: _Reader, method: str) -> Answer:
    response = HTTPResponse(cast("socket.socket", reader), method=method)
    try:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        endless = headers.get("content-type") == "text/event-stream"
        return Answer(response.status, headers, b"" if endless else response.read())
    except (HTTPException, ConnectionError):
        return CLOSED
    finally:
        response.close()


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server has closed `connection`, whatever it says before. Raises TimeoutError."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True
