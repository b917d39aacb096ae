"""An index made again from a trimmed journal is what was there, whatever was sent, expired, swept and trimmed."""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.journal import MemoryJournal
from tocsin.org.assertions import GRACE_MS, Assertion
from tocsin.org.projector import Projector
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_message, risk_topic
from tocsin.org.retention import Retention
from tocsin.org.risk_index import RiskIndex

pytestmark = pytest.mark.slow

START_S = 1_000_000
KEEP_S = 200
PROVIDERS = ["rkpA", "rkpB"]
IPS = [bytes(16), bytes(10) + b"\xff\xff\1\2\3\4"]


class Send(NamedTuple):
    provider: str
    observed_ago_s: int | None
    expires_in_s: int | None
    ips: list[bytes]
    severity: int
    reason: str


class Wait(NamedTuple):
    seconds: int


class Sweep(NamedTuple):
    pass


class Trim(NamedTuple):
    pass


SENDS = st.builds(
    Send,
    st.sampled_from(PROVIDERS),
    st.none() | st.sampled_from([0, 100, 300]) | st.integers(-10, 600),
    st.none() | st.sampled_from([-1, 50, 900]) | st.integers(-100, 900),
    st.lists(st.sampled_from(IPS), min_size=1, max_size=2),
    st.integers(1, 3),
    st.sampled_from(["", "why", "because"]),
)
WAITS = st.builds(Wait, st.sampled_from([1, 70, 150]) | st.integers(0, 250))
STEPS = st.lists(SENDS | SENDS | WAITS | st.builds(Sweep) | st.builds(Trim), max_size=25)
Content = dict[tuple[bytes, str], tuple[Assertion, str | None]]


class Here:
    """An org's journal and index under a clock that is set."""

    def __init__(self, folder: Path) -> None:
        self.now_s = START_S
        self.journal, self.index = MemoryJournal(), RiskIndex(folder / "index")
        self.projector = Projector(self.journal, [self.index])
        self.retention = Retention(
            self.journal, self.projector, self.index, keep_s=KEEP_S, live=lambda: PROVIDERS, clock=lambda: self.now_s
        )

    async def step(self, step: Send | Wait | Sweep | Trim) -> None:
        match step:
            case Send():
                await self.send(step)
            case Wait(seconds):
                self.now_s += seconds
            case Sweep():
                await self.projector.catch_up()
                self.index.sweep(b"", until_ms=self.now_s * 1000 - GRACE_MS, providers=PROVIDERS, limit=100)
            case Trim():
                await self.retention.round(pause_s=0)

    async def send(self, sent: Send) -> None:
        now_ms = self.now_s * 1000
        event = ConsumedEvent(
            timestamp_ms=None if sent.observed_ago_s is None else now_ms - sent.observed_ago_s * 1000,
            expires_ms=None if sent.expires_in_s is None else now_ms + sent.expires_in_s * 1000,
            ips=b"".join(sent.ips),
            severities=bytes([sent.severity]) * len(sent.ips),
            messages=[sent.reason] * len(sent.ips) if sent.reason else None,
        )
        record = RiskEventsConsumed(local_deed(now_ms), sent.provider, [event])
        await self.journal.append(risk_topic(sent.provider), encode_record(record))

    async def content(self, index: RiskIndex) -> Content:
        """What holds now, with its reason."""
        return {
            (ip, said.provider_id): (said, await self.reason(said))
            for ip, assertions in index.dump()
            for said in assertions
            if said.expires_ms > self.now_s * 1000
        }

    async def reason(self, said: Assertion) -> str | None:
        entry = await self.journal.get(said.seq)
        assert entry is not None, "what holds has its entry"
        return risk_message(entry, said.event, said.subject)


async def run(folder: Path, steps: list[Send | Wait | Sweep | Trim], later: list[Send | Wait | Sweep | Trim]) -> None:
    here = Here(folder)
    for step in steps:
        await here.step(step)
    await here.projector.catch_up()
    remade = RiskIndex(folder / "remade")
    remade.apply(await here.journal.read(limit=1000))
    assert await here.content(remade) == await here.content(here.index)
    for step in later:  # and nothing that comes later can tell them apart
        await here.step(step)
        await here.projector.catch_up()
        remade.apply(await here.journal.read(remade.cursor(), limit=1000))
        assert await here.content(remade) == await here.content(here.index)
    for index in (remade, here.index):
        index.close()
    await here.projector.close()


def said(observed_ago_s: int, expires_in_s: int) -> Send:
    return Send("rkpA", observed_ago_s, expires_in_s, IPS[1:], 3, "why")


# Newer and short, then older and long: that it was kept away must be known also when the entry that did it is gone.
KEPT_AWAY = [said(0, 150), Wait(120), said(200, 900), Wait(150), Sweep(), Trim()]
# The same, and the long one would keep away a third if it were there.
THIRD = [said(300, 100)]


@settings(deadline=None)
@example(KEPT_AWAY, THIRD)
@given(STEPS, STEPS)
def test_a_rebuild_from_a_trimmed_journal_is_what_was_there(
    steps: list[Send | Wait | Sweep | Trim], later: list[Send | Wait | Sweep | Trim]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), steps, later))


@settings(deadline=None)
@example([*KEPT_AWAY, *THIRD])
@given(STEPS)
def test_trimming_and_sweeping_change_nothing_that_is_asked(steps: list[Send | Wait | Sweep | Trim]) -> None:
    async def compare(folder: Path) -> None:
        trimmed, kept = Here(folder / "trimmed"), Here(folder / "kept")
        for step in steps:
            await trimmed.step(step)
            if isinstance(step, Send | Wait):
                await kept.step(step)
            said = []
            for here in (trimmed, kept):
                await here.projector.catch_up()
                content = await here.content(here.index)
                said.append({key: (s.severity, s.observed_ms, s.expires_ms, why) for key, (s, why) in content.items()})
            assert said[0] == said[1]
        for here in (trimmed, kept):
            here.index.close()
            await here.projector.close()

    with tempfile.TemporaryDirectory() as folder:
        for name in ("trimmed", "kept"):
            (Path(folder) / name).mkdir()
        asyncio.run(compare(Path(folder)))
