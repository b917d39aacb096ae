"""Whatever is claimed, taken back or lost on the way: in the end the org believes what is claimed."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.fake_org import FakeOrg, address, relay
from support.virtual_time import run_virtually
from tocsin.relay import Relay
from tocsin.signals import Retraction, RiskLevel, Signal

FEW = settings(max_examples=settings().max_examples // 4, deadline=None)  # each takes a while
IPS = 6
numbers, sources = st.integers(0, IPS - 1), st.sampled_from("ab")


class Says(NamedTuple):
    """A source claims something, or takes it back."""

    level: RiskLevel | None
    number: int
    minutes: int
    source: str


moves = st.one_of(
    st.tuples(
        st.sampled_from(RiskLevel), st.integers(0, IPS - 1), st.sampled_from([2, 20, 2000]), st.sampled_from("ab")
    ),
    st.builds(Says, st.none(), numbers, st.just(0), sources),
    st.sampled_from([0.05, 0.3, 1.0, 70.0, 4000.0]),  # seconds that pass
    st.sampled_from([503, 429, "reset before", "reset after", "restart"]),
)


class LossyOrg(FakeOrg):
    """Loses answers, too: it has taken the request then."""

    def __init__(self) -> None:
        super().__init__(limit=30, latency_s=0.2)
        self.lose = 0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        lost, self.lose = self.lose, 0
        answer = await super().__call__(request)
        if lost:
            raise httpx2.ReadError("reset")
        return answer


async def _play(folder: Path, org: LossyOrg, steps: list[object]) -> None:
    claimed: dict[tuple[str, str], Signal] = {}
    opened = await _open(folder, org)
    for step in steps:
        match step:
            case Says(level, number, minutes, source):
                now, ip = org.clock(), address(number)
                if level is None:
                    claimed.pop((ip, source), None)
                    await opened.put([Retraction(ip, now, source)])
                else:
                    signal = Signal(ip, level, now, now + timedelta(minutes=minutes), "seen", source)
                    claimed[ip, source] = signal
                    await opened.put([signal])
                await asyncio.sleep(0.002)
            case float():
                await asyncio.sleep(step)
            case int():
                org.faults.append(httpx2.Response(step))
            case "reset before":
                org.faults.append(httpx2.ConnectError("reset"))
            case "reset after":
                org.lose = 1
            case "restart":
                await opened.__aexit__(None, None, None)
                opened = await _open(folder, org)
    await asyncio.sleep(400)
    now = org.clock()
    wanted: dict[str, int] = {}
    for (ip, _), signal in claimed.items():
        if signal.expires > now:
            wanted[ip] = max(wanted.get(ip, 0), signal.level.severity)
    believed = {ip: RiskLevel(level).severity for ip, level in org.picture(now).items()}
    assert believed == wanted
    assert org.statuses.count(429) <= steps.count(429)  # none but those that were played
    await opened.__aexit__(None, None, None)


async def _open(folder: Path, org: LossyOrg) -> Relay:
    opened = relay(folder, org, patient=True)
    return await opened.__aenter__()


@pytest.mark.slow
@FEW
@given(st.lists(moves, max_size=25))
@example(["reset after", Says(RiskLevel.HIGH, 0, 2000, "a"), 0.3, Says(None, 0, 0, "a")])
@example([Says(RiskLevel.HIGH, 0, 2000, "a"), 0.15, "restart", Says(None, 0, 0, "a")])
@example([Says(RiskLevel.HIGH, 0, 2000, "a"), 70.0, "reset before", Says(RiskLevel.LOW, 0, 20, "a"), 4000.0])
def test_in_the_end_the_org_believes_what_is_claimed(steps: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_virtually(lambda: _play(Path(folder), LossyOrg(), steps))
