"""The live stream, event by event, in this process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from support.asgi import URL, InProcess, in_process
from support.far import FarJournal, Way
from support.oauth import rsa_key, service_app
from tocsin.org.config import Live, OrgConfig
from tocsin.org.oauth.access_token import AccessToken, mint
from tocsin.org.records import AccessTokenRevoked, local_deed

BAD, ODD = "203.0.113.9", "203.0.113.10"


class Told(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]


class Follower:
    """One client of the stream; takes what it is sent when it is asked to."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1)
        self.gone = asyncio.Event()
        self._text = ""

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def told(self) -> Told:
        """The next event; heartbeats are passed over."""
        while True:
            while "\n\n" not in self._text:
                message = await asyncio.wait_for(self.sent.get(), 10)
                self._text += message.get("body", b"").decode()
            text, _, self._text = self._text.partition("\n\n")
            if not text.startswith(":"):
                fields = dict(line.split(": ", 1) for line in text.splitlines())
                return Told(fields["id"], fields["event"], json.loads(fields["data"]))


@asynccontextmanager
async def following(
    running: InProcess, last_id: str | None = None, *, authorization: str = ""
) -> AsyncIterator[Follower]:
    follower = Follower()
    headers = [(b"authorization", (authorization or f"SSWS {running.token}").encode())]
    headers += [] if last_id is None else [(b"last-event-id", last_id.encode())]
    scope = {"type": "http", "method": "GET", "path": "/risk/v1/stream", "headers": headers, "client": ("127.0.0.1", 1)}
    task = asyncio.create_task(running.front(scope, follower.receive, follower.sent.put))  # type: ignore[arg-type]
    start = await asyncio.wait_for(follower.sent.get(), 10)
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (200, b"text/event-stream")
    try:
        yield follower
    finally:
        follower.gone.set()
        while not task.done():
            await asyncio.sleep(0)
            while not follower.sent.empty():
                follower.sent.get_nowait()
        await task


async def test_what_is_said_is_told_with_what_holds_then(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, following(running) as follower:
        ready = await follower.told()
        assert (ready.kind, ready.data["cursor"]) == ("ready", int(ready.id))
        await running.enforce()
        assert (await follower.told()).kind == "changed"
        seq = await running.say((BAD, "HIGH"), (ODD, "LOW"))
        first, second = await follower.told(), await follower.told()
        assert [one.id for one in (first, second)] == [f"{seq}-0", f"{seq}-1"]
        assert first.data.pop("providerId").startswith("rkp")
        assert first == Told(
            f"{seq}-0",
            "risk",
            {
                "ip": BAD,
                "level": "HIGH",
                "providerName": "Default",
                "providerAction": "enforce_and_log",
                "expires": "2026-02-03T02:40:00.000Z",
                "effectiveLevel": "HIGH",
                "until": "2026-02-03T02:40:00.000Z",
                "policy": {"action": "deny", "rule": "level HIGH"},
                "journal": {"seq": seq, "event": 0, "subject": 0},
            },
        )


async def test_nothing_is_lost_or_told_twice_wherever_a_client_went_away(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        start = running.org.projector.applied
        said = [f"198.18.0.{n}" for n in range(120)]
        for at in range(0, 120, 40):
            await running.say(*[(ip, "HIGH") for ip in said[at : at + 40]])
        told, last_id = [], str(start)
        for takes in (1, 7, 39, 40, 1, 32):
            async with following(running, last_id) as follower:
                for _ in range(takes):
                    event = await follower.told()
                    told.append(event.data["ip"])
                    last_id = event.id
        assert told == said
        async with following(running, last_id) as follower:
            await running.say((BAD, "LOW"))
            assert (await follower.told()).data["ip"] == BAD


async def test_an_id_of_another_journal_is_told_to_begin_anew(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, following(running, "999999") as follower:
        assert (await follower.told()).kind == "reset"
        await running.say((BAD, "HIGH"))
        assert (await follower.told()).data["ip"] == BAD


async def test_a_quiet_stream_beats_and_ends_when_the_org_stops(tmp_path: Path) -> None:
    config = OrgConfig(live=Live(heartbeat_s=0.05, clients=1))
    async with in_process(tmp_path, config) as running, following(running) as follower:
        await follower.told()
        assert (await follower.sent.get())["body"] == b": still here\n\n"
        full = await running.client.get("/risk/v1/stream")
        assert full.status_code == 429
        running.front.stop()
        while (message := await asyncio.wait_for(follower.sent.get(), 10)).get("more_body"):
            assert message["body"].startswith(b":")
        assert message["body"] == b""


async def test_while_the_journal_does_not_answer_a_stream_beats_and_then_goes_on(tmp_path: Path) -> None:
    class Unread(FarJournal):
        async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
            return await journal.append(topic, body, expect_last=expect_last)

    config = OrgConfig(live=Live(heartbeat_s=0.05))
    async with in_process(tmp_path, config) as running, following(running) as follower:
        assert (await follower.told()).kind == "ready"
        journal, way = running.org.journal, Way(Random(1), most_s=0.0)
        running.org.journal = Unread(journal, way)
        way.is_cut = True
        await running.say((BAD, "HIGH"))
        for _ in range(5):
            assert (await asyncio.wait_for(follower.sent.get(), 10))["body"] == b": still here\n\n"
        beyond = await running.client.get("/risk/v1/stream", headers={"last-event-id": "999999"})
        assert (beyond.status_code, beyond.json()["errorCode"]) == (503, "E0000010")
        way.is_cut = False
        assert (await follower.told()).data["ip"] == BAD


async def ended(follower: Follower) -> bool:
    """Whether the stream comes to its end, with nothing but heartbeats before."""
    while (message := await asyncio.wait_for(follower.sent.get(), 10)).get("more_body"):
        assert message["body"].startswith(b":")
    return not message["body"]


async def test_a_stream_ends_with_the_token_that_opened_it(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, following(running) as follower:
        await follower.told()
        await running.org.tokens.revoke("t0", deed=local_deed(1))
        assert await ended(follower)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["expired", "revoked"])
async def test_a_stream_ends_with_the_access_token_that_opened_it(tmp_path: Path, end: str) -> None:
    config = OrgConfig(live=Live(heartbeat_s=0.05))
    async with in_process(tmp_path, config) as running:
        made = await running.client.post("/oauth2/v1/clients", json=service_app("edge", rsa_key()))
        app = made.json()["client_id"]
        kid, key = await running.org.signing_keys.signer(running.org.now_ms)
        now = int(running.clock.now)
        scopes = ["tocsin.risk.read"]
        said = AccessToken(jti="AT.x", iss=URL, aud=URL, sub=app, iat=now, exp=now + 60, cid=app, scp=scopes)
        token = mint(said, kid=kid, key=key)
        async with following(running, authorization=f"Bearer {token}") as follower:
            await follower.told()
            if end == "expired":
                running.clock.now += 60
            else:
                await running.org.issued.revoke(AccessTokenRevoked(local_deed(1), app, said.jti, said.exp * 1000))
            assert await ended(follower)


@pytest.mark.parametrize("last_id", ["x", "-1", "1-", "9" * 30])
async def test_an_id_that_is_none(tmp_path: Path, last_id: str) -> None:
    async with in_process(tmp_path) as running:
        answer = await running.client.get("/risk/v1/stream", headers={"last-event-id": last_id})
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000002")
