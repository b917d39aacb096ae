"""What is about to be forgotten is said in the journal before it goes; who has applied only some of it begins anew."""

from pathlib import Path

from tocsin.journal import MemoryJournal
from tocsin.org.folder import DataFolder
from tocsin.org.records import (
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
from tocsin.org.trimmed import delete_what_missed_it

IP = bytes(10) + b"\xff\xff\1\2\3\4"
NOW_MS = 10**7


class Watched(MemoryJournal):
    """Notes what stands there when something is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.said_before = list[int]()

    async def forget(self, branch: str, before: int) -> int:
        entries = await self.read(limit=1000)
        said = [record.before for entry in entries if isinstance(record := directory_record(entry), JournalTrimmed)]
        gone = await super().forget(branch, before)
        assert not gone or before <= max(said)
        self.said_before = said
        return gone


def asserted(at_ms: int) -> bytes:
    event = ConsumedEvent(None, at_ms + 1, IP, b"\3", None)
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


async def test_who_has_applied_some_of_what_is_gone_begins_anew_and_no_other(tmp_path: Path) -> None:
    journal = MemoryJournal()
    for at_ms in range(10):
        await journal.append(risk_topic("rkpA"), asserted(at_ms))
    folder = DataFolder.open(tmp_path / "data")
    delete_what_missed_it(folder, 9)
    assert folder.index.exists()  # it is new, and has missed nothing: it reads from the start
    for upto, before, stays in ((5, 6, True), (5, 7, False), (10, 7, True)):
        index = RiskIndex(folder.index)
        index.apply([entry for entry in await journal.read() if entry.seq <= upto])
        index.close()
        delete_what_missed_it(folder, before)
        assert folder.index.exists() == stays, (upto, before)


async def test_an_older_word_of_another_node_takes_no_newer_one_back(tmp_path: Path) -> None:
    journal = MemoryJournal()
    registry = Registry(journal, tmp_path / "directory.db")
    for before in (7, 5):
        await journal.append(TRIMMED_TOPIC, encode_record(JournalTrimmed(local_deed(0), before)))
    await registry.projector.catch_up()
    assert registry.trimmed.before == 7
    await registry.close()
