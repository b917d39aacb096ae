"""An org in this process with a clock of its own, and a client that reads its System Log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from support.org import RISK_EVENTS, event
from tocsin.org.config import Limits, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.opening import open_org
from tocsin.org.org import Org
from tocsin.org.records import Role, local_deed
from tocsin.org.running import at_work

LOGS = "/api/v1/logs"
RISK = "security.risk.signal.consume"
_PLENTY = Limits(risk_events=10_000, logs=10_000)
Event = dict[str, Any]


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_770_110_142.318

    def __call__(self) -> float:
        return self.now


class LoggedOrg:
    """The org at work; the client has a token."""

    def __init__(self, org: Org, clock: Clock, client: httpx2.AsyncClient) -> None:
        self.org, self.clock, self.client = org, clock, client

    async def send(self, *ips: str) -> str:
        """Send one request of risk events. Returns: its request id."""
        answer = await self.client.post(RISK_EVENTS, json=[event(*((ip, "HIGH") for ip in ips))])
        assert answer.status_code == 202
        return answer.headers["x-okta-request-id"]

    async def get(self, **parameters: str | int) -> httpx2.Response:
        """A page of the log, once all that was accepted is in it."""
        await self.org.projector.catch_up()
        return await self.client.get(LOGS, params=parameters)

    async def go_on(self, answer: httpx2.Response) -> httpx2.Response:
        """The page that an answer's next link leads to."""
        url = link(answer, "next")
        assert url is not None
        await self.org.projector.catch_up()
        return await self.client.get(url)

    async def events(self, **parameters: str | int) -> list[Event]:
        """The events of one page."""
        return events_of(await self.get(**parameters))

    async def event(self, event_type: str) -> Event:
        """The one event of this type."""
        (found,) = await self.events(filter=f'eventType eq "{event_type}"')
        return found


@asynccontextmanager
async def logged_org(
    folder: Path, *, name: str = "edge", limits: Limits = _PLENTY, **config: Any
) -> AsyncIterator[LoggedOrg]:
    """A `LoggedOrg` on the data folder `folder`; `name` is that of its new token."""
    clock = Clock()
    settings = OrgConfig(limits=limits, **config)
    async with open_org(DataFolder.open(folder), settings, clock=clock) as org, at_work(org):
        token = await org.tokens.create(name, Role.SUPER_ADMIN, deed=local_deed(org.now_ms))
        transport = httpx2.ASGITransport(Front(org, base_url="https://org.example"), client=("198.51.100.7", 1))
        headers = {"authorization": f"SSWS {token}", "user-agent": "edge-sensor/1.4"}
        async with httpx2.AsyncClient(transport=transport, base_url="https://org.example", headers=headers) as client:
            yield LoggedOrg(org, clock, client)


def events_of(answer: httpx2.Response) -> list[Event]:
    """The events of an answer, which must be one of success."""
    assert answer.status_code == 200, answer.text
    events = answer.json()
    assert isinstance(events, list)
    return events


def link(answer: httpx2.Response, relation: str) -> str | None:
    """The URL of the answer's link with this `rel`; each stands in a header of its own."""
    headers = [header for header in answer.headers.get_list("link") if header.endswith(f'; rel="{relation}"')]
    if not headers:
        return None
    (header,) = headers
    return header.partition(">")[0].removeprefix("<")
