"""The sender against a small honest org behind the transport: its limiter is real, and time is virtual."""

import json
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest

from support.fake_org import NAME, FakeOrg, address, relay, signals
from support.virtual_time import T0, Clock, run_virtually
from tocsin.relay import Relay, RelayError, Tally, TargetPaused
from tocsin.signals import RiskLevel, Signal


class Run:
    """One delivery to its end, or to what broke it off."""

    def __init__(self, folder: Path, org: FakeOrg, found: list[Signal], *, host: str = "https://org.example") -> None:
        self.error: Exception | None = None
        self.tally = Tally()
        self.left = -1
        run_virtually(lambda: self._deliver(relay(folder, org, host=host), found))

    async def _deliver(self, opened: Relay, found: list[Signal]) -> None:
        async with opened:
            self.tally = opened.senders[NAME].tally
            await opened.put(found)
            try:
                await opened.drained()
            except (TargetPaused, RelayError) as error:
                self.error = error
            self.left = sum(waiting.count for waiting in (await opened.backlog(NAME)).values())
            self.took_s = Clock().passed_s


@pytest.fixture
def org() -> FakeOrg:
    return FakeOrg()


def _signals(count: int, **kind: timedelta) -> list[Signal]:
    return signals(count, now=T0, **kind)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("skew_s", [-300, 0, 300])
def test_everything_arrives_once_in_full_requests_the_worst_first(tmp_path: Path, skew_s: int) -> None:
    org = FakeOrg(limit=5, skew=timedelta(seconds=skew_s))
    run = Run(tmp_path, org, _signals(11_700))
    assert (run.tally.delivered, run.tally.requests, run.tally.retries, run.left) == (11_700, 12, 0, 0)
    assert set(org.statuses) == {202}
    assert sorted(ip for ip, _ in org.taken) == sorted(signal.ip for signal in _signals(11_700))
    severities = [RiskLevel(level).severity for _, level in org.taken]
    per_request = [max(severities[at : at + 1000]) for at in range(0, 11_700, 1000)]
    assert per_request == sorted(per_request, reverse=True)
    assert run.took_s == pytest.approx(120, abs=3)


def test_one_bad_subject_among_a_thousand_stands_alone_and_the_rest_arrives(org: FakeOrg, tmp_path: Path) -> None:
    found = _signals(1000)
    org.bad = {found[617].ip}
    run = Run(tmp_path, org, found)
    assert (run.tally.delivered, run.left) == (999, 0)
    assert [(refused.ip, refused.reason) for refused in run.tally.refused] == [
        (found[617].ip, "it answered 400: ip: is one of our own gateways")
    ]
    assert sorted(ip for ip, _ in org.taken) == sorted(signal.ip for signal in found if signal.ip not in org.bad)
    assert set(org.statuses) == {202, 400}


def test_an_org_that_refuses_everything_is_not_asked_about_each_signal(org: FakeOrg, tmp_path: Path) -> None:
    found = _signals(1000)
    org.bad = {signal.ip for signal in found}
    run = Run(tmp_path, org, found)
    assert "refuses every signal" in str(run.error)
    assert len(org.statuses) < 30
    assert run.left + len(run.tally.refused) == 1000


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
def test_a_passing_failure_costs_a_repeated_request_and_nothing_else(
    org: FakeOrg, tmp_path: Path, fault: httpx2.Response | Exception
) -> None:
    org.faults = [fault]
    run = Run(tmp_path, org, _signals(1500))
    assert (run.tally.delivered, run.tally.requests, run.tally.retries) == (1500, 3, 1)
    assert len(org.taken) == 1500


def test_a_fault_in_a_window_with_room_left_does_not_sit_the_window_out(org: FakeOrg, tmp_path: Path) -> None:
    rates = {"Date": format_datetime(T0, usegmt=True), "X-Rate-Limit-Limit": "30", "X-Rate-Limit-Remaining": "29"}
    reset = {"X-Rate-Limit-Reset": str(int(T0.timestamp()) + 60), "Retry-After": "2"}
    org.faults = [httpx2.Response(503, headers=rates | reset)]
    run = Run(tmp_path, org, _signals(10))
    assert (run.tally.delivered, run.tally.retries) == (10, 1)
    assert run.took_s == 2.0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_person_must_mend_stops_at_once_and_keeps_count(org: FakeOrg, tmp_path: Path, status: int) -> None:
    org.faults = [httpx2.Response(202), httpx2.Response(status)]
    run = Run(tmp_path, org, _signals(2500))
    assert isinstance(run.error, TargetPaused)
    assert f"sending to org.example has stopped: it answered {status}" in str(run.error)
    assert (run.tally.delivered, run.left, run.tally.requests) == (1000, 1500, 2)
    assert run.error.hint
    assert "s3cret" not in f"{run.error} {run.error.hint} {run.tally}"


def test_what_expires_while_it_waits_is_not_sent(tmp_path: Path) -> None:
    org = FakeOrg(limit=2)
    short = [Signal(address(number), RiskLevel.LOW, T0, T0 + timedelta(seconds=30)) for number in range(5000, 5100)]
    run = Run(tmp_path, org, short + _signals(2000))
    assert (run.tally.delivered, run.tally.requests, run.left) == (2000, 2, 0)


def test_a_token_never_travels_in_the_clear(org: FakeOrg, tmp_path: Path) -> None:
    run = Run(tmp_path, org, _signals(1), host="http://org.example")
    assert "plain http" in str(run.error)
    assert (run.tally.requests, run.tally.in_flight, run.left) == (0, 0, 1)
    assert isinstance(run.error, RelayError)
    assert "https" in (run.error.hint or "")


def test_an_org_cannot_write_to_our_terminal(org: FakeOrg, tmp_path: Path) -> None:
    body = json.dumps({"errorCode": "E1", "errorSummary": "\x1b[2Jgone\nfake line", "errorCauses": []}).encode()
    org.faults = [httpx2.Response(403, content=body)]
    run = Run(tmp_path, org, _signals(1))
    assert isinstance(run.error, TargetPaused)
    assert str(run.error).isprintable()


@pytest.mark.parametrize(
    ("status", "header", "value"),
    [
        (503, "Retry-After", "9" * 17),
        (429, "Retry-After", "9" * 400),
        (429, "X-Rate-Limit-Reset", "9" * 18),
        (202, "X-Rate-Limit-Reset", "9" * 18),
    ],
)
def test_an_absurd_wait_does_not_stop_the_delivery(
    org: FakeOrg, tmp_path: Path, status: int, header: str, value: str
) -> None:
    headers = {"Date": format_datetime(T0, usegmt=True), "X-Rate-Limit-Remaining": "0", header: value}
    org.faults = [httpx2.Response(status, headers=headers)]
    run = Run(tmp_path, org, _signals(1))
    assert run.left == 0
    assert run.took_s <= 300


def test_what_has_ended_waits_for_no_window(tmp_path: Path) -> None:
    org = FakeOrg(limit=1, latency_s=20)
    run = Run(tmp_path, org, _signals(1_001, life=timedelta(seconds=15)))
    assert (run.tally.delivered, run.tally.requests, run.left) == (1_000, 1, 0)
    assert run.took_s == pytest.approx(20, abs=2)
