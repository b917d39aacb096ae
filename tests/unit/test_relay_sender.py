"""The sender against a small honest org behind the transport: its limiter is real, its clock is ours to move."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from support.minute_window import MinuteWindow
from tocsin.okta import AsyncApiClient, Configuration
from tocsin.relay import OktaTarget, RelayError, Sender, Tally, TargetPaused
from tocsin.signals import RiskLevel, Signal, decode_events

T0 = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
Handler = Callable[[httpx2.Request], httpx2.Response]


class Clock:
    """Moves when someone sleeps."""

    def __init__(self) -> None:
        self.now = T0
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, wait: timedelta) -> None:
        self.slept.append(wait.total_seconds())
        self.now += wait


class FakeOrg:
    """Takes what the limits allow and remembers it; refuses the IPs in `bad`, and follows `faults` first."""

    def __init__(self, clock: Clock, *, limit: int = 30, skew: timedelta = timedelta(0)) -> None:
        self.clock, self.skew = clock, skew
        self.window = MinuteWindow(limit=limit, skew=skew)
        self.bad: set[str] = set()
        self.faults: list[httpx2.Response | Exception] = []
        self.taken: list[tuple[str, str]] = []
        self.statuses: list[int] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        status = self.window.ask(self.clock())
        if status == 202 and self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            self.statuses.append(fault.status_code)
            return fault
        if status == 202:
            status = self._take(request.content)
        self.statuses.append(status)
        return httpx2.Response(status, headers=self._headers(), content=_body(status))

    def _take(self, body: bytes) -> int:
        subjects = [subject for event in decode_events(body) for subject in event.subjects]
        if self.bad & {subject.ip for subject in subjects}:
            return 400
        self.taken += [(subject.ip, str(subject.risk_level)) for subject in subjects]
        return 202

    def _headers(self) -> dict[str, str]:
        told = self.window.headers(self.clock())
        return {
            "Date": format_datetime(self.clock() + self.skew, usegmt=True),
            "X-Rate-Limit-Limit": str(told["limit"]),
            "X-Rate-Limit-Remaining": str(told["remaining"]),
            "X-Rate-Limit-Reset": str(told["reset"]),
        }


def _body(status: int) -> bytes:
    if status != 400:
        return b""
    causes = [{"errorSummary": "ip: is one of our own gateways"}]
    return json.dumps(
        {"errorCode": "E0000001", "errorSummary": "Api validation failed", "errorCauses": causes}
    ).encode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> FakeOrg:
    return FakeOrg(clock)


def _signals(count: int, *, life: timedelta = timedelta(hours=48)) -> list[Signal]:
    levels = [RiskLevel.LOW, RiskLevel.HIGH, RiskLevel.MEDIUM]
    return [
        Signal(f"198.51.{number // 250}.{number % 250}", levels[number % 3], T0, T0 + life, "listed")
        for number in range(count)
    ]


def _client(org: Handler, host: str = "https://org.example") -> AsyncApiClient:
    configuration = Configuration(host=host, api_key={"apiToken": "s3cret"}, retries=0)
    return AsyncApiClient(configuration, transport=httpx2.MockTransport(org))


async def _deliver(org: FakeOrg, signals: list[Signal]) -> Tally:
    sender = _sender(org)
    return await sender.deliver(signals)


def _sender(org: FakeOrg) -> Sender:
    target = OktaTarget(_client(org), name="org.example")
    return Sender(target, clock=org.clock, sleep=org.clock.sleep, draw=lambda: 1.0)


@pytest.mark.parametrize("skew_s", [-300, 0, 300])
async def test_everything_arrives_once_in_full_requests_the_worst_first(clock: Clock, skew_s: int) -> None:
    org = FakeOrg(clock, limit=5, skew=timedelta(seconds=skew_s))
    signals = _signals(11_700)
    tally = await _deliver(org, signals)
    assert (tally.delivered, tally.requests, tally.retries, tally.left) == (11_700, 12, 0, 0)
    assert set(org.statuses) == {202}
    assert sorted(ip for ip, _ in org.taken) == sorted(signal.ip for signal in signals)
    severities = [RiskLevel(level).severity for _, level in org.taken]
    per_request = [max(severities[at : at + 1000]) for at in range(0, 11_700, 1000)]
    assert per_request == sorted(per_request, reverse=True)
    assert sum(clock.slept) == pytest.approx(120, abs=3)


async def test_one_bad_subject_among_a_thousand_stands_alone_and_the_rest_arrives(org: FakeOrg) -> None:
    signals = _signals(1000)
    org.bad = {signals[617].ip}
    tally = await _deliver(org, signals)
    assert tally.delivered == 999
    assert [(refused.signal, refused.reason) for refused in tally.refused] == [
        (signals[617], "it answered 400: ip: is one of our own gateways")
    ]
    assert tally.left == 0
    assert sorted(ip for ip, _ in org.taken) == sorted(signal.ip for signal in signals if signal.ip not in org.bad)
    assert set(org.statuses) == {202, 400}


async def test_an_org_that_refuses_everything_is_not_asked_about_each_signal(org: FakeOrg) -> None:
    signals = _signals(1000)
    org.bad = {signal.ip for signal in signals}
    sender = _sender(org)
    with pytest.raises(TargetPaused, match="refuses every signal"):
        await sender.deliver(signals)
    assert len(org.statuses) < 30
    assert sender.tally.left + len(sender.tally.refused) == 1000


@pytest.mark.parametrize(
    "fault",
    [
        httpx2.Response(500),
        httpx2.Response(503, headers={"Retry-After": "2"}),
        httpx2.Response(429),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("peer closed connection"),
        httpx2.ConnectError("connection reset"),
    ],
)
async def test_a_passing_failure_costs_a_repeated_request_and_nothing_else(
    org: FakeOrg, fault: httpx2.Response | Exception
) -> None:
    org.faults = [fault]
    tally = await _deliver(org, _signals(1500))
    assert (tally.delivered, tally.requests, tally.retries) == (1500, 3, 1)
    assert len(org.taken) == 1500


async def test_a_fault_in_a_window_with_room_left_does_not_sit_the_window_out(org: FakeOrg, clock: Clock) -> None:
    rates = {"Date": format_datetime(T0, usegmt=True), "X-Rate-Limit-Limit": "30", "X-Rate-Limit-Remaining": "29"}
    reset = {"X-Rate-Limit-Reset": str(int(T0.timestamp()) + 60), "Retry-After": "2"}
    org.faults = [httpx2.Response(503, headers=rates | reset)]
    tally = await _deliver(org, _signals(10))
    assert (tally.delivered, tally.retries) == (10, 1)
    assert sum(clock.slept) == 2.0


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_a_person_must_mend_stops_at_once_and_keeps_count(org: FakeOrg, status: int) -> None:
    sender = _sender(org)
    org.faults = [httpx2.Response(202), httpx2.Response(status)]
    with pytest.raises(TargetPaused, match=rf"sending to org\.example has stopped: it answered {status}") as caught:
        await sender.deliver(_signals(2500))
    assert (sender.tally.delivered, sender.tally.left, sender.tally.requests) == (1000, 1500, 2)
    assert caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {sender.tally}"


async def test_what_expires_while_it_waits_is_not_sent_and_is_counted(clock: Clock) -> None:
    org = FakeOrg(clock, limit=2)
    lasting = _signals(2000)
    short = [
        Signal(f"203.0.113.{number}", RiskLevel.LOW, T0 + timedelta(seconds=1), T0 + timedelta(seconds=30))
        for number in range(100)
    ]
    tally = await _deliver(org, short + lasting)
    assert tally.delivered == 2000
    assert tally.expired == short
    assert tally.left == 0


async def test_a_token_never_travels_in_the_clear(org: FakeOrg) -> None:
    target = OktaTarget(_client(org, host="http://org.example"), name="org.example")
    sender = Sender(target, clock=org.clock, sleep=org.clock.sleep)
    with pytest.raises(RelayError, match="plain http") as caught:
        await sender.deliver(_signals(1))
    assert (sender.tally.requests, sender.tally.in_flight, sender.tally.left) == (0, 0, 1)
    assert caught.value.hint is not None
    assert "https" in caught.value.hint


async def test_an_org_cannot_write_to_our_terminal(org: FakeOrg) -> None:
    body = json.dumps({"errorCode": "E1", "errorSummary": "\x1b[2Jgone\nfake line", "errorCauses": []}).encode()
    org.faults = [httpx2.Response(403, content=body)]
    with pytest.raises(TargetPaused) as caught:
        await _deliver(org, _signals(1))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("status", "header", "value"),
    [
        (503, "Retry-After", "9" * 17),
        (429, "Retry-After", "9" * 400),
        (429, "X-Rate-Limit-Reset", "9" * 18),
        (202, "X-Rate-Limit-Reset", "9" * 18),
    ],
)
async def test_an_absurd_wait_does_not_stop_the_delivery(
    org: FakeOrg, clock: Clock, status: int, header: str, value: str
) -> None:
    headers = {"Date": format_datetime(T0, usegmt=True), "X-Rate-Limit-Remaining": "0", header: value}
    org.faults = [httpx2.Response(status, headers=headers)]
    assert (await _deliver(org, _signals(1))).left == 0
    assert sum(clock.slept) <= 300


async def test_what_has_ended_waits_for_no_window(org: FakeOrg, clock: Clock) -> None:
    org.window = MinuteWindow(limit=1)

    def late(request: httpx2.Request) -> httpx2.Response:
        clock.now += timedelta(seconds=20)
        return org(request)

    target = OktaTarget(_client(late), name="org.example")
    sender = Sender(target, clock=clock, sleep=clock.sleep, draw=lambda: 1.0)
    tally = await sender.deliver(_signals(1_001, life=timedelta(seconds=15)))
    assert (tally.delivered, len(tally.expired), tally.requests, clock.slept) == (1_000, 1, 1, [])
