"""SIGKILL what looks after a data folder, at random moments: what was there is there, or what was asked for is.

TOCSIN_SOAK_ROUNDS=N kills N times instead of a few.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from support.nats_cluster import until
from support.node import MemoryFleet
from support.org_folder import fill, known
from support.process import Command
from tocsin.journal import SqliteJournal, check_journal, copy_journal
from tocsin.org.assertions import Assertion
from tocsin.org.doctor import examine
from tocsin.org.errors import OrgError
from tocsin.org.fleet.doctor import examine_node
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.snapshot import restore as restore_snapshot
from tocsin.org.fleet.snapshot import take
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org, org_behind
from tocsin.org.rebuild import restore
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.risk_index import RiskIndex
from tocsin.org.running import at_work

pytestmark = pytest.mark.slow
ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "2"))
TRIMMER = Path(__file__).parents[1] / "support" / "trimmer.py"
IPS = [f"203.0.113.{number}" for number in range(3)]
MORE = ["198.51.100.1"]
_IP_BYTES = bytes(10) + b"\xff\xff"


def nothing(done: int, total: int) -> None:
    """Progress that nobody watches."""


def killed(*arguments: str | Path, seen: Callable[[], object], after_s: float) -> None:
    """Run a `tocsin` command and kill it, so long after `seen` becomes true of what it does."""
    with Command(*map(str, arguments)) as command:
        deadline = time.monotonic() + 30
        while not seen() and not command.has_ended() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(after_s)


def trim_and_be_killed(data: Path, after_s: float) -> None:
    """Begin many rounds, and be killed so long after."""
    begun = data / "began"
    begun.unlink(missing_ok=True)
    with subprocess.Popen([sys.executable, TRIMMER, data, "1000"]) as process:
        until(begun.exists, "it does not begin")
        time.sleep(after_s)
        process.kill()


def trim_once(data: Path) -> None:
    """One whole round."""
    subprocess.run([sys.executable, TRIMMER, data, "1"], check=True)


async def grow(data: Path, requests: int) -> None:
    """Requests of 1,000 IPs each."""
    dice = random.Random(1)
    async with open_org(DataFolder.open(data)) as org, at_work(org):
        provider = org.providers.default()
        assert provider is not None
        for _ in range(requests):
            events = [ConsumedEvent(None, None, _ips(dice), b"\3" * 50, ["x" * 20] * 50) for _ in range(20)]
            record = RiskEventsConsumed(local_deed(org.now_ms), provider.id, events)
            await org.journal.append(risk_topic(provider.id), encode_record(record))


async def test_a_killed_backup_is_whole_or_not_there(tmp_path: Path) -> None:
    data, dice, whole = tmp_path / "data", random.Random(), 0
    await fill(data, IPS)
    await grow(data, 100)
    for number in range(2 * ROUNDS):
        backup = tmp_path / f"backup-{number}.db"
        begun = partial(_any, tmp_path, f".{backup.name}.*")
        killed("backup", backup, "--data", data, seen=begun, after_s=dice.uniform(0.0, 0.08))
        if backup.exists():
            assert check_journal(backup) == check_journal(data / "journal.db")
            whole += 1
    assert [finding for finding in examine(data) if finding.mend] == []


async def test_a_killed_snapshot_is_whole_or_not_there_and_a_killed_restore_of_one_is_ended_by_the_next(
    tmp_path: Path,
) -> None:
    node, dice = tmp_path / "node", random.Random()
    fleet = MemoryFleet(node)
    await fleet.registered.add("acme", "http://acme.example", at_ms=1)
    registered = await fleet.registered.get("acme")
    async with open_org(fleet.folder_of("acme", registered)) as org:
        for _ in range(40):
            events = [ConsumedEvent(None, None, _ips(dice), b"\3" * 50, None) for _ in range(20)]
            record = RiskEventsConsumed(local_deed(org.now_ms), "rkpA", events)
            await org.journal.append(risk_topic("rkpA"), encode_record(record))
        await org.projector.catch_up()
        held = dict(org.index.dump())
    for number in range(2 * ROUNDS):
        taken, new = tmp_path / f"taken-{number}", tmp_path / f"new-{number}"
        begun = partial(_any, tmp_path, f".{taken.name}.*")
        killed("backup", taken, "--data", node, seen=begun, after_s=dice.uniform(0.0, 0.3))
        if not taken.exists():
            take(node, taken, org=None, on_progress=nothing)
        begun = partial(_any, new, "orgs")
        killed("restore", taken, "--data", new, seen=begun, after_s=dice.uniform(0.0, 0.2))
        try:
            NodeFolder.open(new, create=False)
        except OrgError as error:
            assert "was interrupted" in str(error)
            restore_snapshot(taken, new, on_progress=nothing)
        again = MemoryFleet(new)
        again.journals = fleet.journals
        async with org_behind(again.folder_of("acme", registered)) as org:
            assert dict(org.index.dump()) == held
            assert org.projector.applied == await org.journal.last()
    assert [finding for finding in examine_node(node, deep=True) if finding.mend] == []


async def test_after_a_killed_rebuild_the_next_start_goes_on(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random()
    await fill(data, IPS)
    await grow(data, 50)
    before, note = await known(data, IPS), data / "index.boot"

    def begun() -> bool:
        return not note.exists() or note.read_bytes() != b""

    for _ in range(ROUNDS):
        killed("rebuild", "--data", data, seen=begun, after_s=dice.uniform(0.0, 0.2))
        assert await known(data, IPS) == before
        assert [finding for finding in examine(data, deep=True) if finding.mend] == []


async def test_after_a_killed_restore_there_is_the_old_or_the_new_or_a_word_about_it(tmp_path: Path) -> None:
    data, backup, dice = tmp_path / "data", tmp_path / "backup.db", random.Random()
    await fill(data, IPS)
    await grow(data, 40)
    restored = await known(data, [*IPS, *MORE])
    copy_journal(data / "journal.db", backup, on_progress=nothing)
    for _ in range(2 * ROUNDS):
        await fill(data, MORE)
        replaced = await known(data, [*IPS, *MORE])
        begun = partial(_any, data, "*restor*")
        killed("restore", backup, "--replace", "--data", data, seen=begun, after_s=dice.uniform(0.0, 0.03))
        try:
            assert await known(data, [*IPS, *MORE]) in (replaced, restored)
        except OrgError as error:
            assert "was interrupted" in str(error)
        await restore(backup, data, replace=True, on_progress=nothing)
        assert await known(data, [*IPS, *MORE]) == restored
        asides = list(data.glob("replaced-*/journal.db"))
        assert {check_journal(aside) > 0 for aside in asides} == {True}


async def test_after_a_killed_trim_the_index_is_what_the_journal_says(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random()
    await fill(data, IPS, message="long ago")
    await grow(data, 40)
    before, last = await known(data, IPS), check_journal(data / "journal.db")
    for _ in range(2 * ROUNDS):
        await asyncio.to_thread(trim_and_be_killed, data, dice.uniform(0.0, 0.8))
        assert await _content(data) == await _content_remade(data, tmp_path / f"remade-{time.monotonic_ns()}")
    await asyncio.to_thread(trim_once, data)
    # All hold for a day: what was trimmed stands in other entries, with its times and reason.
    assert min(said.seq for assertions in (await _content(data)).values() for said in assertions) > last
    for now, then in zip(await known(data, IPS), before, strict=True):
        for view in (now, then):
            del view["providers"][0]["journal"]
        assert now == then


def _any(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern))


def _ips(dice: random.Random) -> bytes:
    return b"".join(_IP_BYTES + dice.randbytes(4) for _ in range(50))


async def _content(data: Path) -> dict[bytes, list[Assertion]]:
    async with open_org(DataFolder.open(data, create=False)) as org:
        return dict(org.index.dump())


async def _content_remade(data: Path, at: Path) -> dict[bytes, list[Assertion]]:
    index = RiskIndex(at)
    journal = await SqliteJournal.open(data / "journal.db", create=False)
    while batch := await journal.read(index.cursor()):
        index.apply(batch)
    await journal.close()
    content = dict(index.dump())
    index.close()
    return content
