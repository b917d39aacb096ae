"""Far sides for the SDK: an org scripted behind the transport, and a tiny real server."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from tocsin import okta

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
HOST = "https://org.example"
EVENT = {"subjects": [{"ip": "198.51.100.7", "riskLevel": "HIGH"}]}


def answer(
    status: int, *, json: object = None, content: bytes | None = None, headers: dict[str, str] | None = None
) -> httpx2.Response:
    """An answer as an org gives it: dated, and without a Content-Type when it is empty."""
    dated = {"Date": format_datetime(NOW, usegmt=True), **(headers or {})}
    if json is not None:
        return httpx2.Response(status, json=json, headers=dated)
    return httpx2.Response(status, content=content, headers=dated)


class ScriptedOrg:
    """Answers with what it was given, in order, the last one for ever; keeps every request."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers) or [answer(202)]
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        reply = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(reply.status_code, headers=reply.headers, content=reply.content)


class Caller:
    """Makes one call through the sync or the async client; remembers the waits and the client."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.waits: list[float] = []
        self.client: okta.ApiClient | okta.AsyncApiClient | None = None

    def __call__(
        self,
        org: Callable[[httpx2.Request], httpx2.Response],
        do: Callable[[okta.RiskEventApi, okta.RiskProviderApi], Any],
        **settings: Any,
    ) -> Any:
        """What `do` gives; `settings` are those of a Configuration."""
        settings = {"host": HOST, "api_key": {"apiToken": "s3cret"}} | settings
        configuration = okta.Configuration(**settings)
        if self.kind == "sync":
            client = okta.ApiClient(
                configuration,
                transport=httpx2.MockTransport(org),
                sleep=self.waits.append,
                clock=lambda: NOW,
                draw=lambda: 0.5,
            )
            self.client = client
            return do(okta.RiskEventApi(client), okta.RiskProviderApi(client))
        return asyncio.run(self._awaited(org, do, configuration))

    async def _awaited(
        self, org: Any, do: Callable[[okta.RiskEventApi, okta.RiskProviderApi], Any], configuration: okta.Configuration
    ) -> Any:
        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        async with okta.AsyncApiClient(
            configuration, transport=httpx2.MockTransport(org), sleep=sleep, clock=lambda: NOW, draw=lambda: 0.5
        ) as client:
            self.client = client
            result = do(okta.RiskEventApi(client), okta.RiskProviderApi(client))
            return await _resolved(result) if inspect.isawaitable(result) else result


async def _resolved(result: Awaitable[Any]) -> Any:
    return await result


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the base class
        """Keep the output of tests clean."""


@contextmanager
def tiny_org() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A real server on loopback that answers every POST with 202: its URL, and what it took (path, headers, body)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.taken = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.taken  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
