"""Whatever is asked at the doors of decisions, the answer is one of those they have, never a 500."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from support.asgi import InProcess, in_process
from tocsin.org.config import Check, Http, OrgConfig
from tocsin.org.records import local_deed

pytestmark = pytest.mark.slow

TEXT = st.binary(max_size=40)
PATHS = st.sampled_from(
    [
        "/v1/decisions",
        "/v1/decisions/stream",
        "/v1/usage-metrics",
        "/health",
        "/risk/v1/check",
        "/risk/v1/check/a",
        "/risk/v1/policy",
        "/risk/v1/ips:batch",
        "/risk/v1/sign-ins",
        "/readyz",
        "/metrics",
    ]
)
PIECES = st.sampled_from(
    [
        b"ip=",
        b"range=",
        b"scopes=Ip",
        b"&value=",
        b"&contains=",
        b"203.0.113.9",
        b"/24",
        b"::/0",
        b"%",
        b"&",
        b"startup=true",
    ]
)
QUERIES = st.one_of(TEXT, st.lists(PIECES, max_size=6).map(b"".join))
BODIES = st.one_of(
    TEXT,
    st.sampled_from(
        [
            b'{"ips":["203.0.113.9"]}',
            b'{"ips":[1]}',
            b'{"high":"deny","allowed":["::/0"]}',
            b'{"ip":"203.0.113.9","user":{"login":"\\ud800"}}',
            b'{"ip":"203.0.113.9","user":{"login":"a"}}',
            b"[" * 2000,
        ]
    ),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"x-forwarded-for", b"last-event-id", b"accept-encoding", b"content-type", b"user-agent"]),
        st.one_of(TEXT, st.sampled_from([b"203.0.113.9", b"gzip", b"application/json", b"[::1]:80"])),
    ),
    max_size=3,
)
PEERS = st.sampled_from(["10.0.0.1", "x", ""])
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
Asked = tuple[str, str, bytes, list[tuple[bytes, bytes]], bytes, str]
CONFIG = OrgConfig(http=Http(trusted_proxies=["10.0.0.0/8"]), check=Check(open_to_proxies=True, any_path=True))


async def ask(running: InProcess, scope: dict[str, Any], body: bytes) -> int:
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await running.front(scope, receive, send)  # type: ignore[arg-type]
    (status,) = statuses
    assert isinstance(status, int)
    return status


async def ask_all(asked: list[Asked], folder: Path) -> None:
    with capture_logs() as logs:
        await ask_each(asked, folder, logs)


async def ask_each(asked: list[Asked], folder: Path, logs: Sequence[Mapping[str, Any]]) -> None:
    async with in_process(folder, CONFIG) as running:
        await running.enforce()
        await running.say(("203.0.113.9", "HIGH"))
        key = await running.org.bouncers.create("b", deed=local_deed(0))
        shown = [(b"authorization", b"SSWS " + running.token.encode()), (b"x-api-key", key.encode())]
        for method, path, query, headers, body, peer in asked:
            told = [*headers, *shown, (b"content-length", b"%d" % len(body))]
            at = {"type": "http", "method": method, "path": path, "query_string": query, "client": (peer, 1)}
            status = await ask(running, {**at, "headers": told}, body)
            assert [told for told in logs if told["event"].endswith(".failed")] == []
            # CrowdSec answers a filter that cannot be read with 500, and so does this org.
            assert status < 500 or (path.startswith("/v1/decisions") and status == 500)


@settings(max_examples=25)
@given(st.lists(st.tuples(METHODS, PATHS, QUERIES, HEADERS, BODIES, PEERS), max_size=40))
def test_any_request_is_answered(asked: list[Asked]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(ask_all(asked, Path(folder)))
