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

from support.asgi_drive import drive
from support.bad_input import BODIES, GOOD, KEY, PATH_TRICKS, TOKEN, BadRequest, is_fault, requests
from support.wire import Answer
from tocsin.org.config import Limits, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.api import OPERATIONS
from tocsin.org.http.api.operation import Operation
from tocsin.org.http.front import Front
from tocsin.org.opening import open_org
from tocsin.org.records import Role, local_deed
from tocsin.org.running import at_work

LIMITS = dict.fromkeys(("risk_events", "logs", "clients", "grants", "token", "oauth", "api"), 1000000000)


class World:
    """An org in an event loop of its own."""

    def __init__(self, folder: DataFolder) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._front, self._credentials = self._runner.run(self._open(folder))

    async def _open(self, folder: DataFolder) -> tuple[Front, dict[bytes, bytes]]:
        config = OrgConfig(limits=msgspec.convert(LIMITS, Limits))
        org = await self._stack.enter_async_context(open_org(folder, config))
        await self._stack.enter_async_context(at_work(org))
        token = await org.tokens.create("fuzz", Role.SUPER_ADMIN, deed=local_deed(0))
        key = await org.bouncers.create("fuzz", deed=local_deed(0))
        return Front(org, base_url="http://org.example"), {TOKEN: token.encode(), KEY: key.encode()}

    def answer(self, request: BadRequest, parts: int) -> Answer:
        """What the org says to `request`, whose body comes in `parts`."""
        headers = [(name, self._filled_in(value)) for name, value in request.headers]
        size = len(request.body) // parts + 1
        body = [request.body[at : at + size] for at in range(0, len(request.body), size)]
        return self._runner.run(drive(self._front, request.method, request.target, headers, body))

    def _filled_in(self, value: bytes) -> bytes:
        for place, credential in self._credentials.items():
            value = value.replace(place, credential)
        return value

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
        faults = [request for request in asked if is_fault(request.target, world.answer(request, 1))]
    assert faults == []
    assert logs == []


def right_headers(operation: Operation, body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"authorization", GOOD),
        (b"x-api-key", KEY),
        (b"content-type", operation.body_media.encode()),
        (b"content-length", str(len(body)).encode()),
    ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(requests(), st.integers(1, 3))
def test_never_a_fault(world: World, request: BadRequest, parts: int) -> None:
    with capture_logs() as logs:
        answer = world.answer(request, parts)
    assert not is_fault(request.target, answer)
    assert logs == []
    if answer.body and answer.headers["content-type"] == "application/json":
        json.loads(answer.body)
    assert bool(answer.body) <= ("content-type" in answer.headers)
    if request.target.startswith((b"/v1/", b"/health")):
        return  # there it answers as CrowdSec does
    if answer.status in (204, 205) or request.method == "HEAD":
        assert answer.body == b""
    if answer.status == 405:
        assert "allow" in answer.headers
        assert "x-okta-request-id" not in answer.headers
