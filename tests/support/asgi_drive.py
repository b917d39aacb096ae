"""Drives an ASGI application as a server does, without one: what a fuzz test wants thousands of times."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from support.wire import Answer

ANSWER_WITHIN_S = 20.0
Pairs = Sequence[tuple[bytes, bytes]]


async def drive(app: Any, method: str, target: bytes, headers: Pairs, body: Sequence[bytes] = ()) -> Answer:
    """
    One request and its whole answer; once the body was read, the client is gone.

    Args:
        target: path and query as they stand in the request line.
    Raises: TimeoutError; whatever the application raises.
    """
    raw_path, _, query = target.partition(b"?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(b"host", b"org.example"), *headers],
        "client": ("203.0.113.1", "40000"),
        "server": ("127.0.0.1", "80"),
        "scheme": "http",
    }
    parts = [*body, b""]
    started: dict[str, Any] = {}
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if parts:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not started, "answered twice"
            started.update(message)
        else:
            assert started
            sent.append(message.get("body", b""))

    async with asyncio.timeout(ANSWER_WITHIN_S):
        await app(scope, receive, send)
    told = {name.decode(): value.decode("latin-1") for name, value in started["headers"]}
    return Answer(started["status"], told, b"".join(sent))
