"""A real server on loopback that fails as the net and tired servers do: the lines of the relay's failure table."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tocsin.signals import RiskEvent, decode_events

Fault = Callable[["Handler"], None]


class FaultyOrg(ThreadingHTTPServer):
    """Follows `faults` in order, then takes everything. Its clock is off by `skew`."""

    daemon_threads = True

    def __init__(self, *faults: Fault, skew: timedelta = timedelta(0)) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.skew = list(faults), skew
        self.taken: list[RiskEvent] = []
        self.tokens: list[str] = []
        self.arrived: list[float] = []
        self.bad: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ips(self) -> list[str]:
        return [subject.ip for event in self.taken for subject in event.subjects]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyOrg

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived.append(time.monotonic())
        self.server.tokens.append(self.headers["Authorization"])
        if self.server.faults:
            self.server.faults.pop(0)(self)
        else:
            self.take()

    def take(self) -> None:
        """As an org does."""
        events = decode_events(self.body)
        if self.server.bad & {subject.ip for event in events for subject in event.subjects}:
            self.answer(400, b'{"errorCode":"E0000001","errorSummary":"Api validation failed: ip","errorCauses":[]}')
        else:
            self.server.taken += events
            self.answer(202)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """With what an org says about its clock and its budget, unless `headers` say otherwise."""
        now = datetime.now(UTC) + self.server.skew
        told = {
            "Date": format_datetime(now, usegmt=True),
            "X-Rate-Limit-Limit": "600",
            "X-Rate-Limit-Remaining": "500",
            "X-Rate-Limit-Reset": str(int(now.timestamp()) + 30),
        }
        self.send_response_only(status)
        for name, value in (told | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """Keep the output of tests clean."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # it was cut
        except ValueError:
            self.close_connection = True  # and its files with it

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True


@contextmanager
def faulty_org(*faults: Fault, **settings: Any) -> Iterator[FaultyOrg]:
    """It runs until the block ends."""
    server = FaultyOrg(*faults, **settings)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
