"""A week of full traffic under a clock that is set: what the org holds on disk comes to rest, and nothing is lost."""

import random
from pathlib import Path

import pytest

from tocsin.journal import SqliteJournal
from tocsin.org.projector import Projector
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.retention import Retention
from tocsin.org.risk_index import RiskIndex
from tocsin.org.sweeper import Sweeper

pytestmark = pytest.mark.slow
DAY_MS = 24 * 3600 * 1000
# Scaled: 43,200 requests a day become 48, of as many subjects each as one may have; the org looks after itself 8 times.
STEPS, REQUESTS, EVENTS, SUBJECTS = 8, 6, 20, 50
KEEP_S = 24 * 3600.0
MAPPED = bytes(10) + b"\xff\xff"
NEVER_SEEN_AGAIN = MAPPED + b"\1\2\3\4"


class Week:
    """One provider's traffic, and what an org does with it."""

    def __init__(self, folder: Path, journal: SqliteJournal) -> None:
        self.now_ms = 1_770_000_000_000
        self.folder, self.journal, self.index = folder, journal, RiskIndex(folder / "index")
        self.projector = Projector(journal, [self.index])
        self.dice = random.Random(7)
        clock, live = (lambda: self.now_ms / 1000), (lambda: ["rkpA"])
        self.sweeper = Sweeper(self.projector, self.index, live=live, clock=clock)
        self.retention = Retention(journal, self.projector, self.index, keep_s=KEEP_S, live=live, clock=clock)

    async def send(self, events: list[ConsumedEvent]) -> None:
        body = encode_record(RiskEventsConsumed(local_deed(self.now_ms), "rkpA", events))
        await self.journal.append(risk_topic("rkpA"), body)

    async def step(self) -> None:
        for _ in range(REQUESTS):
            self.now_ms += DAY_MS // (STEPS * REQUESTS)
            await self.send([self.event() for _ in range(EVENTS)])
        await self.projector.catch_up()
        await self.sweeper.round(pause_s=0)
        await self.retention.round(pause_s=0)

    def event(self) -> ConsumedEvent:
        ips = b"".join(MAPPED + self.dice.randbytes(4) for _ in range(SUBJECTS))
        return ConsumedEvent(None, None, ips, b"\3" * SUBJECTS, ["seen on 3 lists"] * SUBJECTS)

    def bytes_on_disk(self) -> int:
        files = ["journal.db", "journal.db-wal", "index/data.mdb"]
        return sum((self.folder / name).stat().st_blocks * 512 for name in files)

    async def close(self) -> None:
        await self.projector.close()
        self.index.close()


async def test_disk_use_comes_to_rest_and_what_holds_for_longer_is_kept(tmp_path: Path) -> None:
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    week = Week(tmp_path, journal)
    long = ConsumedEvent(None, week.now_ms + 400 * DAY_MS, NEVER_SEEN_AGAIN, b"\2", ["held for a year"])
    await week.send([long])
    used, held = [], []
    for _ in range(7):
        for _ in range(STEPS):
            await week.step()
        used.append(week.bytes_on_disk())
        held.append(len(week.index))
    day = STEPS * REQUESTS * EVENTS * SUBJECTS
    assert all(abs(count - day) < day / 20 for count in held), held
    # The index is full after a day, and the journal a little later: from then on pages are used again.
    assert max(used[2:]) < used[1] * 1.1, used
    assert (await journal.read(limit=1))[0].seq > 5 * STEPS * REQUESTS
    (said,) = week.index.look_up(NEVER_SEEN_AGAIN).assertions
    assert (said.severity, said.expires_ms) == (2, long.expires_ms)
    await week.close()
    await journal.close()
