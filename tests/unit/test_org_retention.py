"""Carrying forward against others who write: nothing they say is overruled, and nothing goes before it is safe."""

from pathlib import Path

import pytest

from tocsin.journal import MemoryJournal
from tocsin.org.projector import Projector
from tocsin.org.records import (
    ConsumedEvent,
    RiskCarried,
    RiskEventsConsumed,
    asserted_record,
    encode_record,
    local_deed,
    risk_topic,
)
from tocsin.org.retention import Retention, TooBusy
from tocsin.org.risk_index import RiskIndex

IP, OTHER = bytes(10) + b"\xff\xff\1\2\3\4", bytes(15) + b"\1"
LONG_MS = 10**9
NOW_MS = 10**7


def body(at_ms: int, ip: bytes, severity: int) -> bytes:
    event = ConsumedEvent(None, LONG_MS, ip, bytes([severity]), ["why"])
    return encode_record(RiskEventsConsumed(local_deed(at_ms), "rkpA", [event]))


class BusyJournal(MemoryJournal):
    """Somebody else is quicker, `times` times, with an append that expects nothing."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def append(self, topic: str, body_: bytes, *, expect_last: int | None = None) -> int:
        if expect_last is not None and self.times:
            self.times -= 1
            await super().append(topic, body(NOW_MS, IP, 1))
        return await super().append(topic, body_, expect_last=expect_last)


class Rig:
    """A journal of one old request about two IPs, with an index."""

    def __init__(self, folder: Path, journal: MemoryJournal, live: list[str]) -> None:
        self.journal, self.index = journal, RiskIndex(folder / "index")
        self.projector = Projector(journal, [self.index])
        self.retention = Retention(
            journal, self.projector, self.index, keep_s=1, live=lambda: live, clock=lambda: NOW_MS / 1000
        )

    async def fill(self) -> None:
        for ip in (IP, OTHER):
            await self.journal.append(risk_topic("rkpA"), body(0, ip, 3))
        await self.journal.append(risk_topic("rkpA"), body(NOW_MS, bytes(15) + b"\2", 2))

    async def close(self) -> None:
        await self.projector.close()
        self.index.close()


async def test_what_is_said_meanwhile_is_not_overruled(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BusyJournal(2), ["rkpA"])
    await rig.fill()
    assert await rig.retention.round(pause_s=0) == 2
    records = [asserted_record(entry) for entry in await rig.journal.read()]
    (carried,) = [record for record in records if isinstance(record, RiskCarried)]
    assert [(event.ips, event.severities, event.messages) for event in carried.events] == [(OTHER, b"\3", ["why"])]
    assert [said.severity for said in rig.index.look_up(IP).assertions] == [1]
    (other,) = rig.index.look_up(OTHER).assertions
    assert (other.severity, other.observed_ms, other.expires_ms) == (3, 0, LONG_MS)
    await rig.close()


async def test_when_others_are_always_quicker_nothing_is_forgotten(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BusyJournal(10**6), ["rkpA"])
    await rig.fill()
    oldest = (await rig.journal.read())[0]
    rig.index.apply(await rig.journal.read())
    # What they say is about IP; OTHER stays to be carried, and can never be.
    with pytest.raises(TooBusy) as caught:
        await rig.retention.round(pause_s=0)
    assert caught.value.hint
    assert (await rig.journal.read())[0] == oldest
    await rig.close()


async def test_what_a_deleted_provider_said_is_not_carried(tmp_path: Path) -> None:
    rig = Rig(tmp_path, MemoryJournal(), [])
    await rig.fill()
    assert await rig.retention.round(pause_s=0) == 2
    assert [entry.seq for entry in await rig.journal.read()] == [3]
    await rig.close()
