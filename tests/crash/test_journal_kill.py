"""What was acknowledged is there after SIGKILL, whenever it comes. TOCSIN_SOAK_ROUNDS asks for more journals to try."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.journal_appender import body_of
from tocsin.journal import Entry, Journal, SqliteJournal

ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "1"))
KILLS = 4
APPENDERS = 2
APPENDER = Path(__file__).parents[1] / "support" / "journal_appender.py"


class Appender:
    """A process that appends until it is killed, and the file it says so in."""

    def __init__(self, journal: Path, said: Path) -> None:
        self.said = said
        with said.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, APPENDER, journal], stdout=output)

    def wait_for_a_word(self) -> None:
        while not self.said.stat().st_size:
            assert self.process.poll() is None, "the appender ended by itself"
            time.sleep(0.005)

    def kill(self) -> None:
        assert self.process.poll() is None, "the appender ended by itself"
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def accepted(self) -> list[Entry]:
        whole_lines = self.said.read_text().splitlines(keepends=True)
        return [parsed(line) for line in whole_lines if line.endswith("\n")]


def parsed(line: str) -> Entry:
    seq, topic, name = line.split()
    return Entry(int(seq), topic, body_of(name))


def appended_until_killed(folder: Path, *, while_starting: bool, draw: random.Random) -> list[Entry]:
    """What several processes on one journal were told is accepted before each was killed."""
    appenders = [Appender(folder / "journal.db", folder / f"said.{number}") for number in range(APPENDERS)]
    if not while_starting:
        for appender in appenders:
            appender.wait_for_a_word()
    for appender in appenders:
        time.sleep(draw.uniform(0.0, 0.2))
        appender.kill()
    return [entry for appender in appenders for entry in appender.accepted()]


async def everything(journal: Journal) -> list[Entry]:
    entries: list[Entry] = []
    while batch := await journal.read(entries[-1].seq if entries else 0):
        entries += batch
    return entries


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(ROUNDS))
async def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "journal.db"
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    accepted: list[Entry] = []
    for kill in range(KILLS):
        accepted += appended_until_killed(tmp_path, while_starting=kill == 0, draw=draw)
        journal = await SqliteJournal.open(path)
        found = await everything(journal)
        await journal.close()
        missing = set(accepted) - set(found)
        assert not missing, f"seed {seed}, kill {kill}: lost {sorted(e.seq for e in missing)}"
        assert [e.seq for e in found] == sorted({e.seq for e in found})
    assert len(accepted) > KILLS
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    path.unlink()  # some 100 MB, which pytest would keep
