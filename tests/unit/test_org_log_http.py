"""GET /api/v1/logs over an org in this process: events of every kind, parameters, links and errors."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from support.org import RISK_EVENTS, event
from tocsin.org.config import Limits, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.org import Org, at_work, open_org
from tocsin.org.records import Role, local_deed

LOGS = "/api/v1/logs"
DAY_S = 86_400


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_770_110_142.318

    def __call__(self) -> float:
        return self.now


class Logged:
    """An org, its clock, and a client that asks for its log."""

    def __init__(self, org: Org, clock: Clock, client: httpx2.AsyncClient) -> None:
        self.org, self.clock, self.client = org, clock, client

    async def send(self, *ips: str) -> str:
        """Send one request of risk events. Returns: its request id."""
        answer = await self.client.post(RISK_EVENTS, json=[event(*((ip, "HIGH") for ip in ips))])
        assert answer.status_code == 202
        return answer.headers["x-okta-request-id"]

    async def get(self, **parameters: object) -> httpx2.Response:
        await self.org.projector.catch_up()
        return await self.client.get(LOGS, params={name: str(value) for name, value in parameters.items()})

    async def events(self, **parameters: object) -> list[dict[str, Any]]:
        answer = await self.get(**parameters)
        assert answer.status_code == 200, answer.text
        events = answer.json()
        assert isinstance(events, list)
        return events

    async def event(self, event_type: str) -> dict[str, Any]:
        """The one event of this type."""
        (found,) = await self.events(filter=f'eventType eq "{event_type}"')
        return found


@asynccontextmanager
async def logged(tmp_path: Path, **config: Any) -> AsyncIterator[Logged]:
    clock = Clock()
    settings = OrgConfig(**{"limits": Limits(risk_events=10_000, logs=10_000), **config})
    async with open_org(DataFolder.open(tmp_path / "data"), settings, clock=clock) as org, at_work(org):
        token = await org.tokens.create("edge", Role.SUPER_ADMIN, deed=local_deed(org.now_ms))
        transport = httpx2.ASGITransport(Front(org, base_url="https://org.example"), client=("198.51.100.7", 1))
        headers = {"authorization": f"SSWS {token}", "user-agent": "edge-sensor/1.4"}
        async with httpx2.AsyncClient(transport=transport, base_url="https://org.example", headers=headers) as client:
            yield Logged(org, clock, client)


async def test_an_accepted_request_of_risk_events_is_one_event(tmp_path: Path) -> None:
    async with logged(tmp_path) as log:
        (default,) = log.org.providers.all()
        (token,) = log.org.tokens.all()
        request_id = await log.send("203.0.113.9", "2001:db8::7")
        found = await log.event("security.risk.signal.consume")
        assert uuid.UUID(found.pop("uuid")).version == 1
        assert found == {
            "actor": {
                "id": token.id,
                "type": "Token",
                "alternateId": token.id,
                "displayName": "edge",
                "detailEntry": None,
            },
            "client": {
                "userAgent": {"rawUserAgent": "edge-sensor/1.4", "os": "Unknown", "browser": "UNKNOWN"},
                "zone": "null",
                "device": "Unknown",
                "id": None,
                "ipAddress": "198.51.100.7",
                "geographicalContext": None,
            },
            "device": None,
            "authenticationContext": {
                "authenticationProvider": None,
                "credentialProvider": None,
                "credentialType": None,
                "issuer": None,
                "interface": None,
                "authenticationStep": 0,
                "rootSessionId": None,
                "externalSessionId": f"trs{request_id}",
            },
            "displayMessage": "Consume risk signals",
            "eventType": "security.risk.signal.consume",
            "outcome": {"result": "SUCCESS", "reason": None},
            "published": "2026-02-03T09:15:42.318Z",
            "securityContext": {"asNumber": None, "asOrg": None, "isp": None, "domain": None, "isProxy": None},
            "severity": "INFO",
            "debugContext": {
                "debugData": {
                    "requestId": request_id,
                    "requestUri": RISK_EVENTS,
                    "url": f"{RISK_EVENTS}?",
                    "riskSignalProviderId": default.id,
                    "riskSignalProviderName": "Default",
                    "riskSignalProviderAction": "LOG_ONLY",
                    "riskSignalSize": "2",
                    "riskSignalList": "[{ip=203.0.113.9, riskLevel=HIGH}, {ip=2001:db8::7, riskLevel=HIGH}]",
                }
            },
            "legacyEventType": None,
            "transaction": {"type": "WEB", "id": request_id, "detail": {"requestApiTokenId": token.id}},
            "version": "0",
            "request": {
                "ipChain": [{"ip": "198.51.100.7", "geographicalContext": None, "version": "V4", "source": None}]
            },
            "target": [
                {
                    "id": default.id,
                    "type": "RiskProvider",
                    "alternateId": "unknown",
                    "displayName": "Default",
                    "detailEntry": None,
                }
            ],
        }
