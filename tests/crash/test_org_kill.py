"""SIGKILL the org at random moments, under load: every 202 is kept, and the indexes are what their cursors say.

TOCSIN_SOAK_ROUNDS=N kills N times instead of a few.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from support.org import RISK_EVENTS, OrgProcess, event, send
from support.process import Command, tocsin
from tocsin.journal import Entry
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.assertions import Assertion, consumed
from tocsin.org.errors import OrgError
from tocsin.org.folder import DataFolder
from tocsin.org.log.index import LogIndex
from tocsin.org.records import encode_record, local_deed, risk_record, risk_topic
from tocsin.org.risk_index import RiskIndex
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, ip_key

pytestmark = pytest.mark.slow
ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "2"))
CONNECTIONS = 4
SUBJECTS = 50
IPS = 20_000  # few enough that most requests meet an IP that is held already

Content = dict[bytes, list[Assertion]]


class Flood:
    """Sends risk events over several connections until the org is gone, and keeps what was answered with 202."""

    def __init__(self, org: OrgProcess, token: str, seed: int) -> None:
        self.accepted: dict[int, list[str]] = {}
        self.surprises: list[str] = []
        self._threads = [
            threading.Thread(target=self._send, args=(org, token, random.Random(f"{seed}-{number}")))
            for number in range(CONNECTIONS)
        ]
        for thread in self._threads:
            thread.start()

    def kill_after(self, delay_s: float, org: OrgProcess) -> None:
        time.sleep(delay_s)
        org.kill()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _send(self, org: OrgProcess, token: str, dice: random.Random) -> None:
        with org.client(token) as client:
            while True:
                ips = [f"10.0.{dice.randrange(IPS) >> 8}.{dice.randrange(256)}" for _ in range(SUBJECTS)]
                events = [{"subjects": [{"ip": ip, "riskLevel": dice.choice(("HIGH", "LOW"))} for ip in ips]}]
                try:
                    answer = client.post(RISK_EVENTS, json=events * dice.randint(1, 20))
                except httpx2.TransportError:
                    return
                if answer.status_code != 202:
                    self.surprises.append(answer.text)
                    return
                self.accepted[int(answer.headers["x-tocsin-journal-seq"])] = ips


async def test_every_202_survives_and_the_index_is_what_its_cursor_says(tmp_path: Path) -> None:
    data, accepted, dice = tmp_path / "data", {}, random.Random()
    token = tocsin("token", "create", "flood", "--data", str(data)).stdout.strip()
    for number in range(ROUNDS):
        with OrgProcess(data, "--requests-per-minute", "1000000") as org:
            flood = Flood(org, token, number)
            flood.kill_after(dice.uniform(0.1, 1.5), org)
        assert flood.surprises == []
        accepted.update(flood.accepted)
        await _index_is_true(data)
        await _log_is_true(data)
    assert accepted, "no request was accepted before a kill, so nothing was tested"
    entries = {entry.seq: entry for entry in await _journal_of(data)}
    for seq, ips in accepted.items():
        record = risk_record(entries[seq])
        assert record is not None
        assert record.events[0].ips == b"".join(map(ip_key, ips))
    with OrgProcess(data) as org:
        assert org.stop() == 0
    assert await _index_is_true(data) == await _log_is_true(data) == max(entries)


def test_the_process_beside_the_org_is_started_again(tmp_path: Path) -> None:
    with OrgProcess(tmp_path / "data") as org, org.client(org.token()) as client:
        for number in range(3):
            ip = f"203.0.113.{number}"
            seq = send(client, event((ip, "HIGH")))
            os.kill(_beside(org), signal.SIGKILL)
            found = client.get(f"/risk/v1/ips/{ip}", params={"after": seq})
            assert found.json()["level"] == "HIGH"
        assert org.stop() == 0


def _beside(org: OrgProcess) -> int:
    """The pid of the one process that `org` has started, once it has."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for task in Path(f"/proc/{org.pid}/task").iterdir():
            if children := (task / "children").read_text().split():
                return int(children[0])
        time.sleep(0.01)
    raise AssertionError("nothing runs beside the org")


async def test_a_kill_while_a_backlog_is_applied(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random()
    assert tocsin("token", "create", "any", "--data", str(data)).returncode == 0
    last = await _append_backlog(data, requests=150)
    cursors = []
    for _ in range(2 * ROUNDS):
        _kill_in_mid_apply(data, dice.uniform(0.0, 0.2))
        cursors.append(await _index_is_true(data))
        await _log_is_true(data)
        if cursors[-1] == last:
            break
    assert cursors == sorted(cursors)
    assert tocsin("check", "10.0.0.1", "--data", str(data)).returncode == 0
    assert await _index_is_true(data) == last


def _kill_in_mid_apply(data: Path, after_s: float) -> None:
    """Let a process of its own apply the journal, and kill it `after_s` after the index has begun to move."""
    with Command("check", "10.0.0.1", "--data", str(data)):
        deadline = time.monotonic() + 30
        while (
            not (data / "index.boot").exists() or not (data / "index.boot").read_bytes()
        ) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(after_s)


async def _append_backlog(data: Path, *, requests: int) -> int:
    journal, dice, last = await SqliteJournal.open(data / "journal.db"), random.Random(1), 0
    for number in range(requests):
        ips = [f"10.0.{dice.randrange(256)}.{dice.randrange(256)}" for _ in range(1000)]
        subjects = [RiskEventSubject(ip, RiskLevel.HIGH) for ip in ips]
        events = [RiskEvent(subjects[start : start + 50]) for start in range(0, 1000, 50)]
        record = consumed(events, deed=local_deed(number), provider_id="rkpA")
        last = await journal.append(risk_topic("rkpA"), encode_record(record))
    await journal.close()
    return last


async def _index_is_true(data: Path) -> int:
    """Compare the index with one made anew from the journal up to its cursor. Returns: the cursor."""
    folder = DataFolder.open(data, create=False)
    with _left_by_all(folder):
        index = RiskIndex(folder.index)
        cursor, found = index.cursor(), _content(index)
        index.close()
    rebuilt = RiskIndex(data.with_name(f"rebuilt-{time.monotonic_ns()}"))
    rebuilt.apply([entry for entry in await _journal_of(data) if entry.seq <= cursor])
    assert found == _content(rebuilt)
    rebuilt.close()
    return cursor


@contextmanager
def _left_by_all(folder: DataFolder) -> Iterator[None]:
    """Once nobody has it open: the process beside a killed org finishes what it is at."""
    deadline = time.monotonic() + 30
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(folder.alone())
                break
            except OrgError:
                assert time.monotonic() < deadline, "the process beside the org outlives it"
                time.sleep(0.01)
        yield


async def _log_is_true(data: Path) -> int:
    """Compare the log's index with one made anew from the journal up to its cursor. Returns: the cursor."""
    index, rebuilt = LogIndex(data / "log.db"), LogIndex(data.with_name(f"log-{time.monotonic_ns()}.db"))
    rebuilt.apply([entry for entry in await _journal_of(data) if entry.seq <= index.cursor()])
    for table in ("events", "types", "names"):
        everything = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert index.select(everything) == rebuilt.select(everything)
    cursor = index.cursor()
    index.close()
    rebuilt.close()
    return cursor


def _content(index: RiskIndex) -> Content:
    return dict(index.dump())


async def _journal_of(data: Path) -> list[Entry]:
    journal, entries = await SqliteJournal.open(data / "journal.db", create=False), list[Entry]()
    while batch := await journal.read(entries[-1].seq if entries else 0):
        entries += batch
    await journal.close()
    return entries
