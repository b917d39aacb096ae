"""The front door when something behind it fails: nothing is falsely accepted, and nobody is told our internals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from support.org import RISK_EVENTS, event
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.org import Org, at_work, open_org
from tocsin.org.records import Role

NOW = 1_770_000_000.0


@asynccontextmanager
async def org_and_client(tmp_path: Path) -> AsyncIterator[tuple[Org, httpx2.AsyncClient]]:
    async with open_org(DataFolder.open(tmp_path / "data"), clock=lambda: NOW) as org, at_work(org):
        token = await org.registry.create_token("t", Role.SUPER_ADMIN, at_ms=0)
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
        answer = await client.get("/risk/v1/ips/203.0.113.9")
        assert (answer.status_code, answer.json()["errorCode"]) == (500, "E0000009")
        assert "NoneType" not in answer.text


async def test_a_look_up_waits_for_what_was_just_accepted(tmp_path: Path) -> None:
    async with org_and_client(tmp_path) as (org, client):
        seq = int(
            (await client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))])).headers["x-tocsin-journal-seq"]
        )
        view = (await client.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()
        assert (view["level"], view["cursor"]) == ("LOW", seq)
        assert not await org.projector.wait_for(seq + 1, at_most_s=0.01)
