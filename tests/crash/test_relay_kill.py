"""SIGKILL the relay, or the org it tells, at random moments: in the end the org believes what the list says.

TOCSIN_SOAK_ROUNDS=N kills N times instead of a few.
"""

import asyncio
import gzip
import os
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.org import OrgProcess
from support.relay_process import RelayProcess, all_delivered, relay_toml, write_list
from tocsin.journal import Entry
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.folder import DataFolder
from tocsin.org.records import risk_record
from tocsin.org.risk_index import RiskIndex
from tocsin.signals import ip_text, to_ms
from tocsin.sources import shipped_list

pytestmark = [pytest.mark.slow, pytest.mark.timeout(36_000)]
ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "3"))
IPS = 12_000
LEVELS = ("LOW", "MEDIUM", "HIGH")
FAST = ("--requests-per-minute", "1000000")


class Listed:
    """A list of real addresses that says something else each time, of most of them."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path, self._dice = path, dice
        with shipped_list() as shipped, gzip.open(shipped, "rt") as lines:
            self._ips = [line.split()[0] for line in lines if not line.startswith("#")][:IPS]
        self.levels: dict[str, str] = {}
        self._first, self._number = datetime.now(UTC) - timedelta(hours=2), 0
        self.change()

    def change(self) -> None:
        """Write it anew, whole and at once."""
        self._number += 1
        self.levels = {ip: self._dice.choice(LEVELS) for ip in self._ips if self._dice.random() < 0.8}
        write_list(self.path, self.levels, at=self._first + timedelta(seconds=self._number))


async def test_a_relay_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random()
    listed = Listed(tmp_path / "list.txt", dice)
    with OrgProcess(tmp_path / "org", *FAST) as org:
        config = relay_toml(tmp_path, org, {"list": listed.path})
        for _ in range(ROUNDS):
            with RelayProcess(config) as relay:
                await asyncio.sleep(dice.uniform(0.0, 1.5))
                relay.kill()
            listed.change()
        with RelayProcess(config) as relay:
            _until_settled(relay)
            assert relay.stop() == 0
        assert org.stop() == 0
    await _told_what_is_listed(tmp_path, listed, kills=ROUNDS)


async def test_an_org_that_is_killed_again_and_again_is_told_in_the_end(tmp_path: Path) -> None:
    dice = random.Random()
    listed = Listed(tmp_path / "list.txt", dice)
    with OrgProcess(tmp_path / "org", *FAST) as org:
        config = relay_toml(tmp_path, org, {"list": listed.path})
        port = int(org.url.rpartition(":")[2])
        with RelayProcess(config) as relay:
            for _ in range(ROUNDS):
                await asyncio.sleep(dice.uniform(0.3, 1.5))
                org.kill()
                listed.change()
                org = OrgProcess(tmp_path / "org", *FAST, port=port)
            _until_settled(relay)
            assert relay.stop() == 0
        assert org.stop() == 0
    await _told_what_is_listed(tmp_path, listed, kills=ROUNDS)


def _until_settled(relay: RelayProcess) -> None:
    """The last list was read whole, what it no longer holds was let go, and there is nothing left to tell."""
    time.sleep(3)  # it is looked at every second
    for _ in range(2):
        relay.until(all_delivered)
        time.sleep(1.5)


async def _told_what_is_listed(folder: Path, listed: Listed, *, kills: int) -> None:
    index = RiskIndex(DataFolder.open(folder / "org", create=False).index)
    # What was let go holds for five seconds more.
    now_ms = to_ms(datetime.now(UTC) + timedelta(seconds=5))
    believed = {ip_text(key): LEVELS[said[0].severity - 1] for key, said in index.dump() if said[0].expires_ms > now_ms}
    index.close()
    assert believed == listed.levels
    journal, entries = await SqliteJournal.open(folder / "org" / "journal.db", create=False), list[Entry]()
    while batch := await journal.read(entries[-1].seq if entries else 0):
        entries += batch
    await journal.close()
    requests = sum(risk_record(entry) is not None for entry in entries)
    answered = (folder / "relay.log").read_text().count("request.delivered")
    assert answered > 0
    assert requests - answered <= kills, "more was told twice than one request a kill"
