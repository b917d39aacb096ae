"""Whatever is asked of the org, at any of its doors, it answers: never with a fault of its own."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from support.asgi import drive
from support.bad_input import BODIES, PATH_TRICKS, BadRequest, requests
from support.wire import Answer
from tocsin.org.config import Limits, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.api import OPERATIONS
from tocsin.org.http.api.operation import Operation
from tocsin.org.http.front import Front
from tocsin.org.org import at_work, open_org
from tocsin.org.records import Role, local_deed

PLACE_FOR_TOKEN = "TOKEN"  # the strategy is made before the org is
LIMITS = dict.fromkeys(("risk_events", "logs", "clients", "grants", "token", "api"), 1000000000)


class World:
    """An org in an event loop of its own."""

    def __init__(self, folder: DataFolder) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._front, self._token = self._runner.run(self._open(folder))

    async def _open(self, folder: DataFolder) -> tuple[Front, str]:
        config = OrgConfig(limits=msgspec.convert(LIMITS, Limits))
        org = await self._stack.enter_async_context(open_org(folder, config))
        await self._stack.enter_async_context(at_work(org))
        token = await org.tokens.create("fuzz", Role.SUPER_ADMIN, deed=local_deed(0))
        return Front(org, base_url="http://org.example"), token

    def answer(self, request: BadRequest, parts: int) -> Answer:
        """What the org says to `request`, whose body comes in `parts`."""
        headers = [
            (name, value.replace(PLACE_FOR_TOKEN.encode(), self._token.encode())) for name, value in request.headers
        ]
        size = len(request.body) // parts + 1
        body = [request.body[at : at + size] for at in range(0, len(request.body), size)]
        return self._runner.run(drive(self._front, request.method, request.target, headers, body))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(DataFolder.open(tmp_path_factory.mktemp("fuzz") / "data"))
    yield made
    made.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_door_answers_to_every_listed_body_and_path(world: World, operation: Operation) -> None:
    path = re.sub(r"\{\w+\}", "x", operation.path).encode()
    asked = [BadRequest(operation.method, path, right_headers(operation, body), body) for body in BODIES]
    for trick in PATH_TRICKS:
        targets = (path + trick, path.replace(b"/", trick, 1), path + b"?" + trick)
        asked += [BadRequest(operation.method, target, right_headers(operation, b""), b"") for target in targets]
    with capture_logs() as logs:
        statuses = {world.answer(request, 1).status for request in asked}
    assert logs == []
    assert max(statuses) < 500


def right_headers(operation: Operation, body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"authorization", f"SSWS {PLACE_FOR_TOKEN}".encode()),
        (b"content-type", operation.body_media.encode()),
        (b"content-length", str(len(body)).encode()),
    ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(requests(token=PLACE_FOR_TOKEN), st.integers(1, 3))
def test_never_a_fault(world: World, request: BadRequest, parts: int) -> None:
    with capture_logs() as logs:
        answer = world.answer(request, parts)
    assert 200 <= answer.status < 500
    assert logs == []
    if answer.body and answer.headers["content-type"] == "application/json":
        json.loads(answer.body)
    assert bool(answer.body) <= ("content-type" in answer.headers)
    if answer.status in (204, 205) or request.method == "HEAD":
        assert answer.body == b""
    if answer.status == 405:
        assert "allow" in answer.headers
        assert "x-okta-request-id" not in answer.headers
