"""What is about to be forgotten is said in the journal before it goes; who has applied only some of it begins anew."""

from pathlib import Path

import pytest

from support.node import backing_of
from tocsin.journal import Entry, MemoryJournal
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.rebuild import rebuild
from tocsin.org.records import (
    RISK_BRANCH,
    TRIMMED_TOPIC,
    ConsumedEvent,
    JournalTrimmed,
    RiskEventsConsumed,
    directory_record,
    encode_record,
    local_deed,
    risk_topic,
)
from tocsin.org.registry import Registry
from tocsin.org.retention import Retention
from tocsin.org.risk_index import RiskIndex
from tocsin.org.trimmed import Outrun, Whole

IP, OTHER = (bytes(10) + b"\xff\xff\1\2\3" + last for last in (b"\4", b"\5"))
NOW_MS = 10**7


class Watched(MemoryJournal):
    """Notes what stands there when something is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.said_before = list[int]()

    async def forget(self, topic: str, before: int) -> int:
        entries = await self.read(limit=1000)
        said = [record.before for entry in entries if isinstance(record := directory_record(entry), JournalTrimmed)]
        gone = await super().forget(topic, before)
        assert not gone or before <= max(said)
        self.said_before = said
        return gone


def asserted(at_ms: int, *, severity: int = 3, other: bool = False) -> bytes:
    event = ConsumedEvent(None, at_ms + 1, OTHER if other else IP, bytes([severity]), None)
    return encode_record(RiskEventsConsumed(local_deed(at_ms), "rkpA", [event]))


async def test_each_horizon_is_said_once_and_before_anything_goes(tmp_path: Path) -> None:
    journal, index, later = Watched(), RiskIndex(tmp_path / "index"), [0.0]
    registry = Registry(journal, tmp_path / "directory.db", [index])
    retention = Retention(
        journal,
        registry.projector,
        index,
        keep_s=1,
        live=lambda: ["rkpA"],
        clock=lambda: NOW_MS / 1000 + later[0],
        trimmed=registry.trimmed,
    )
    for at_ms in (0, 1, NOW_MS):
        await journal.append(risk_topic("rkpA"), asserted(at_ms))
    assert await retention.round(pause_s=0) == 2
    assert journal.said_before == [3]
    assert registry.trimmed.before == 3
    await registry.projector.catch_up()
    assert await retention.round(pause_s=0) == 0
    assert journal.said_before == [3]  # nothing that may go came since
    later[0] = 10.0
    await journal.append(risk_topic("rkpA"), asserted(NOW_MS + 10_000))
    assert await retention.round(pause_s=0) == 1
    assert journal.said_before == [3, await journal.last(risk_topic("rkpA"))]
    await registry.close()
    index.close()


class Purging(MemoryJournal):
    """Somebody else trims it, as is noted in it, between the first entry that is read for an index and the next."""

    before = 0

    async def read(self, after: int = 0, *, limit: int = 1) -> list[Entry]:
        entries = await super().read(after, limit=1)
        if self.before and entries and entries[0].seq == 1:
            self.reads += 1
            if self.reads == 2:  # the first was for the directory
                await super().forget(RISK_BRANCH, self.before)
        return entries

    reads = 0


def folder_of(path: Path, journal: MemoryJournal) -> DataFolder:
    DataFolder.open(path)
    return DataFolder(path, backing_of(journal))


async def trim(journal: MemoryJournal, before: int) -> None:
    await journal.append(TRIMMED_TOPIC, encode_record(JournalTrimmed(local_deed(0), before)))
    await journal.forget(RISK_BRANCH, before)


async def held(folder: DataFolder) -> list[int]:
    """What is said of the IP, once it is caught up: severities."""
    async with open_org(folder) as org:
        return [said.severity for said in org.index.look_up(IP).assertions]


async def two_words(journal: MemoryJournal) -> None:
    """The second takes the first back, and is over when it goes."""
    await journal.append(risk_topic("rkpA"), asserted(0, severity=3))
    await journal.append(risk_topic("rkpA"), asserted(1, severity=1))
    await journal.append(risk_topic("rkpB"), asserted(NOW_MS, other=True))


async def test_an_index_that_is_made_while_others_trim_leaves_out_all_that_goes(tmp_path: Path) -> None:
    journal = Purging()
    await two_words(journal)
    await journal.append(TRIMMED_TOPIC, encode_record(JournalTrimmed(local_deed(0), 3)))
    journal.before = 3
    folder = folder_of(tmp_path / "data", journal)
    assert await held(folder) == []
    await journal.append(risk_topic("rkpA"), asserted(NOW_MS, severity=2))
    await rebuild(folder, on_progress=lambda *_: None)
    assert await held(folder) == [2]


@pytest.mark.parametrize("killed", [False, True])
async def test_who_has_crossed_a_gap_finds_out_and_begins_anew(tmp_path: Path, killed: bool) -> None:
    journal = MemoryJournal()
    await journal.append(risk_topic("rkpA"), asserted(0, severity=3))
    folder = folder_of(tmp_path / "data", journal)
    async with open_org(folder) as org:
        assert org.trimmed is not None
        whole = Whole(folder)
        await whole.look(org.projector, org.trimmed)
        await journal.append(risk_topic("rkpA"), asserted(1, severity=1))
        await journal.append(risk_topic("rkpA"), asserted(NOW_MS, other=True))
        await trim(journal, 3)
        await org.projector.catch_up()
        assert [said.severity for said in org.index.look_up(IP).assertions] == [3]  # what was taken back
        if not killed:
            with pytest.raises(Outrun):
                await whole.look(org.projector, org.trimmed)
            whole.keep()
    assert await held(folder) == []
    assert await held(folder) == []


async def test_a_command_that_crosses_one_while_it_opens_the_org_says_so(tmp_path: Path) -> None:
    class Late(MemoryJournal):
        async def read(self, after: int = 0, *, limit: int = 1000) -> list[Entry]:
            entries = await super().read(after, limit=limit)
            if any(entry.topic == risk_topic("rkpB") for entry in entries):
                self.reads += 1
                if self.reads == 2:
                    await trim(self, 4)
            return entries

        reads = 0

    journal = Late()
    folder = folder_of(tmp_path / "data", journal)
    await journal.append(risk_topic("rkpA"), asserted(0, severity=3))
    assert await held(folder) == [3]
    await two_words(journal)
    with pytest.raises(Outrun, match="entries before 4 are gone"):
        await held(folder)
    assert journal.reads >= 2
    assert await held(folder) == []


async def test_who_has_applied_all_in_time_goes_on(tmp_path: Path) -> None:
    journal = MemoryJournal()
    await two_words(journal)
    folder = folder_of(tmp_path / "data", journal)
    async with open_org(folder) as org:
        assert org.trimmed is not None
        whole = Whole(folder)
        await whole.look(org.projector, org.trimmed)
        await trim(journal, 3)
        await whole.look(org.projector, org.trimmed)
        whole.keep()
    before = folder.index.stat().st_ino
    assert await held(folder) == [1]
    assert folder.index.stat().st_ino == before


async def test_an_older_word_of_another_node_takes_no_newer_one_back(tmp_path: Path) -> None:
    journal = MemoryJournal()
    registry = Registry(journal, tmp_path / "directory.db")
    for before in (7, 5):
        await journal.append(TRIMMED_TOPIC, encode_record(JournalTrimmed(local_deed(0), before)))
    await registry.projector.catch_up()
    assert registry.trimmed.before == 7
    await registry.close()
