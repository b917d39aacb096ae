"""The front door when something behind it fails: nothing is falsely accepted, and nobody is told our internals."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from structlog.testing import capture_logs

from support.org import PROVIDERS, RISK_EVENTS, event
from tocsin.journal import Entry, JournalError
from tocsin.org.errors import OrgError
from tocsin.org.folder import DataFolder
from tocsin.org.http.authorization import read_credential
from tocsin.org.http.front import Front
from tocsin.org.opening import open_org
from tocsin.org.org import Org
from tocsin.org.records import Role, local_deed
from tocsin.org.running import at_work

NOW = 1_770_000_000.0


@asynccontextmanager
async def org_and_client(tmp_path: Path) -> AsyncIterator[tuple[Org, httpx2.AsyncClient]]:
    async with open_org(DataFolder.open(tmp_path / "data"), clock=lambda: NOW) as org, at_work(org):
        token = await org.tokens.create("t", Role.SUPER_ADMIN, deed=local_deed(0))
        transport = httpx2.ASGITransport(Front(org, base_url="http://org.example"))
        headers = {"authorization": f"SSWS {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://org.example", headers=headers) as client:
            yield org, client


async def test_when_the_journal_cannot_be_written_nothing_is_accepted(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        await org.journal.close()
        answer = await client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))])
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "E0000010")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["x-rate-limit-reset"] == str(int(NOW) + 60)
        assert answer.headers["date"] == "Mon, 02 Feb 2026 02:40:00 GMT"
        provider = await client.post("/api/v1/risk/providers", json={"name": "a", "clientId": "c"})
        assert (provider.status_code, provider.json()["errorCode"]) == (503, "E0000010")


async def test_a_fault_is_told_without_what_it_was(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        org.index.look_up = None  # type: ignore[method-assign, assignment]
        with capture_logs() as logs:
            answer = await client.get("/risk/v1/ips/203.0.113.9")
        assert (answer.status_code, answer.json()["errorCode"]) == (500, "E0000009")
        assert "NoneType" not in answer.text
        (told,) = logs
        # A traceback in plain text: whatever a log is set up to do with an exception, it prints no local variables.
        assert "look = self.index.look_up(key)" in told["exception"]
        assert set(told) == {"event", "log_level", "exception"}


def test_what_a_request_shows_to_be_let_in_is_never_told() -> None:
    for header in ("SSWS 00precious", "Bearer 00precious"):
        credential = read_credential(header)
        assert credential is not None
        assert credential.secret == "00precious"
        for told in (repr(credential), str(credential), repr([credential])):
            assert "precious" not in told


async def test_a_stuck_index_leaves_tokens_and_providers_alone(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        apply, org.index.apply = org.index.apply, stuck  # type: ignore[method-assign]
        with capture_logs() as logs:
            sent = await client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))])
            seq = int(sent.headers["x-tocsin-journal-seq"])
            stranger = await client.get(PROVIDERS, headers={"authorization": "SSWS 00wrong"})
            assert (stranger.status_code, stranger.json()["errorCode"]) == (401, "E0000011")
            created = await client.post(PROVIDERS, json={"name": "a", "clientId": "c"})
            assert created.status_code == 201
            path, wanted = f"{PROVIDERS}/{created.json()['id']}", {"name": "b", "clientId": "c"}
            assert (await client.put(path, json=wanted)).json()["name"] == "b"
            assert (await client.delete(path)).status_code in (200, 204)
            newcomer = await org.tokens.create("new", Role.READ_ONLY, deed=local_deed(0))
            assert (await client.get(PROVIDERS, headers={"authorization": f"SSWS {newcomer}"})).status_code == 200
            assert (await client.get("/healthz")).status_code == 200
        assert {told["event"] for told in logs} <= {"projection.stuck", "sweep.failed", "retention.failed"}
        assert not await org.projector.wait_for(seq, at_most_s=0.01)  # that still means: it is in the index
        org.index.apply = apply  # type: ignore[method-assign]
        await org.projector.catch_up()
        assert (await client.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()["level"] == "HIGH"


async def test_a_body_announced_with_thousands_of_digits_is_too_large(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (_, client):
        headers = {"content-length": "9" * 5000, "content-type": "application/json"}
        answer = await client.post(RISK_EVENTS, content=b"[]", headers=headers)
        assert (answer.status_code, answer.json()["errorCode"]) == (413, "E0000003")


async def test_a_word_whose_journal_entry_is_gone_counts_and_has_no_message(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        seq = await say_why(client, expiresAt="2199-01-01T00:00:00Z")
        (word,) = (await client.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()["providers"]
        assert word["message"] == "Seen on 3 lists."
        org.journal.get = trimmed  # type: ignore[method-assign]
        view = (await client.get("/risk/v1/ips/203.0.113.9")).json()
        assert (view["level"], view["providers"][0]["message"]) == ("HIGH", None)


async def test_an_expired_word_needs_no_journal(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        seq = await say_why(client, expiresAt="2026-02-02T02:39:59Z")  # one second ago: no sweep takes it yet
        org.journal.get = unreadable  # type: ignore[method-assign]
        (word,) = (await client.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()["providers"]
        assert (word["expired"], word["message"]) == (True, None)


async def test_a_look_up_waits_for_what_was_just_accepted(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        seq = int(
            (await client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))])).headers["x-tocsin-journal-seq"]
        )
        view = (await client.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()
        assert (view["level"], view["cursor"]) == ("LOW", seq)
        assert not await org.projector.wait_for(seq + 1, at_most_s=0.01)


async def say_why(client: httpx2.AsyncClient, **times: str) -> int:
    """Send one event after another one, so that it is not the first of its request. Returns: its seq."""
    subjects = [{"ip": "203.0.113.9", "riskLevel": "HIGH", "message": "Seen on 3 lists."}]
    answer = await client.post(RISK_EVENTS, json=[event(("203.0.113.1", "LOW")), {"subjects": subjects, **times}])
    return int(answer.headers["x-tocsin-journal-seq"])


def stuck(entries: Sequence[Entry]) -> None:
    raise OrgError(f"the index cannot be written up to {entries[-1].seq}")


async def trimmed(seq: int) -> Entry | None:
    assert seq > 0
    return None


async def unreadable(seq: int) -> Entry | None:
    raise JournalError(f"entry {seq} of the journal cannot be read")
