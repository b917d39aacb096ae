"""An org in this process, with its front door behind a client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from support.org import PROVIDERS, RISK_EVENTS, event
from tocsin.org.config import OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.opening import open_org
from tocsin.org.org import Org
from tocsin.org.records import Role, local_deed
from tocsin.org.running import at_work

NOW = 1_770_000_000.0
URL = "http://org.example"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class InProcess:
    """One org and how to ask it."""

    def __init__(self, org: Org, clock: Clock, token: str) -> None:
        self.org, self.clock, self.token = org, clock, token
        self.front = Front(org, base_url=URL)
        self.client = self.from_peer("127.0.0.1", authorization=f"SSWS {token}")

    def from_peer(self, ip: str, **headers: str) -> httpx2.AsyncClient:
        """A client at `ip` that sends `headers` (`x_api_key` is X-Api-Key)."""
        transport = httpx2.ASGITransport(self.front, client=(ip, 1234))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.AsyncClient(transport=transport, base_url=URL, headers=sent)

    async def enforce(self) -> None:
        """Let the word of the default provider be enforced."""
        (default,) = (await self.client.get(PROVIDERS)).json()
        put = await self.client.put(f"{PROVIDERS}/{default['id']}", json={**default, "action": "enforce_and_log"})
        assert put.status_code == 200, put.text

    async def say(self, *subjects: tuple[str, str], **fields: str) -> int:
        """Send one risk event, wait until it is in the projections, and return its seq."""
        answer = await self.client.post(RISK_EVENTS, json=[event(*subjects, **fields)])
        assert answer.status_code == 202, answer.text
        seq = int(answer.headers["x-tocsin-journal-seq"])
        assert await self.org.projector.wait_for(seq, at_most_s=10)
        return seq


@asynccontextmanager
async def in_process(tmp_path: Path, config: OrgConfig | None = None) -> AsyncIterator[InProcess]:
    """An org on a folder under `tmp_path`, which may be there from before."""
    clock = Clock()
    async with open_org(DataFolder.open(tmp_path / "data"), config or OrgConfig(), clock=clock) as org, at_work(org):
        known = [token.name for token in org.tokens.all()]
        token = await org.tokens.create(f"t{len(known)}", Role.SUPER_ADMIN, deed=local_deed(0))
        running = InProcess(org, clock, token)
        async with running.client:
            yield running
