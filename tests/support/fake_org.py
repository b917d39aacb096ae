"""A small honest org behind the transport, for the relay: its limiter is real, its time virtual."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2

from support.minute_window import MinuteWindow
from support.virtual_time import Clock
from tocsin.okta import AsyncApiClient, Configuration
from tocsin.relay import Guards, OktaTarget, Relay, RelayConfig, TargetConfig, Watcher
from tocsin.signals import RiskEvent, RiskLevel, Signal, decode_events

NAME = "acme"


class FakeOrg:
    """Takes what the limits allow and remembers it; refuses the IPs in `bad`, and follows `faults` first."""

    def __init__(self, *, limit: int = 30, skew: timedelta = timedelta(0), latency_s: float = 0.0) -> None:
        self.clock, self.latency_s = Clock(skew=skew), latency_s
        self.window = MinuteWindow(limit=limit)
        self.bad: set[str] = set()
        self.faults: list[httpx2.Response | Exception] = []
        self.events: list[RiskEvent] = []
        self.held: dict[str, tuple[str, datetime, datetime]] = {}
        """IP -> level, timestamp and end, by the rules of an org: the newest counts."""
        self.statuses: list[int] = []
        self.arrivals_s: list[float] = []
        self.sizes: list[int] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(self.latency_s / 2)
        status = self.window.ask(self.clock())
        self.arrivals_s.append(self.clock.passed_s)
        fault = self.faults.pop(0) if status == 202 and self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault is None and status == 202:
            status = self._take(request.content)
        headers = self._headers()
        await asyncio.sleep(self.latency_s / 2)
        self.statuses.append(status if fault is None else fault.status_code)
        return httpx2.Response(status, headers=headers, content=_body(status)) if fault is None else fault

    @property
    def taken(self) -> list[tuple[str, str]]:
        """Every (IP, level) in its order."""
        return [(subject.ip, str(subject.risk_level)) for event in self.events for subject in event.subjects]

    def picture(self, now: datetime) -> dict[str, str]:
        """What it believes at a moment: IP -> level."""
        return {ip: level for ip, (level, _, ends) in self.held.items() if ends > now}

    def _take(self, body: bytes) -> int:
        events = decode_events(body)
        subjects = [subject for event in events for subject in event.subjects]
        if self.bad & {subject.ip for subject in subjects}:
            return 400
        self.sizes.append(len(subjects))
        self.events += events
        for event in events:
            assert event.timestamp is not None
            assert event.expires_at is not None
            for subject in event.subjects:
                known = self.held.get(subject.ip)
                if known is None or event.timestamp >= known[1] or known[2] <= self.clock():
                    self.held[subject.ip] = (str(subject.risk_level), event.timestamp, event.expires_at)
        return 202

    def _headers(self) -> dict[str, str]:
        told = self.window.headers(self.clock())
        return {
            "Date": format_datetime(self.clock(), usegmt=True),
            "X-Rate-Limit-Limit": str(told["limit"]),
            "X-Rate-Limit-Remaining": str(told["remaining"]),
            "X-Rate-Limit-Reset": str(told["reset"]),
        }


def config(folder: Path, *, names: Iterable[str] = (NAME,), **settings: object) -> RelayConfig:
    """A relay with targets of these names, all alike."""
    given = {"url": "https://org.example", "token_env": "T", "allow_non_global": True} | settings
    target = TargetConfig(**given)  # type: ignore[arg-type]
    return RelayConfig(state=str(folder), targets=dict.fromkeys(names, target))


def relay(
    folder: Path,
    org: FakeOrg,
    *,
    patient: bool = False,
    watcher: Watcher | None = None,
    clock: Clock | None = None,
    host: str = "https://org.example",
    names: Iterable[str] = (NAME,),
    guards: Guards | None = None,
    **settings: object,
) -> Relay:
    """A relay that tells `org`."""

    @asynccontextmanager
    async def opened(config: TargetConfig) -> AsyncIterator[OktaTarget]:
        configuration = Configuration(host=host, api_key={"apiToken": "s3cret"}, retries=0)
        async with AsyncApiClient(configuration, transport=httpx2.MockTransport(org)) as client:
            yield OktaTarget(client, name="org.example", at_most=config.budget.requests_per_window)

    return Relay(
        config(folder, names=names, **settings),
        patient=patient,
        watcher=watcher,
        guards=guards,
        open_target=opened,
        clock=clock or Clock(),
        draw=lambda: 1.0,
    )


def signals(count: int, *, now: datetime, life: timedelta = timedelta(hours=48), source: str = "list") -> list[Signal]:
    """So many, of all levels in turn."""
    levels = [RiskLevel.LOW, RiskLevel.HIGH, RiskLevel.MEDIUM]
    return [Signal(address(number), levels[number % 3], now, now + life, "listed", source) for number in range(count)]


def address(number: int) -> str:
    """The IP of a number below 16 million."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _body(status: int) -> bytes:
    if status != 400:
        return b""
    causes = [{"errorSummary": "ip: is one of our own gateways"}]
    return json.dumps(
        {"errorCode": "E0000001", "errorSummary": "Api validation failed", "errorCauses": causes}
    ).encode()
