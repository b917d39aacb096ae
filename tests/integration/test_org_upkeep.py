"""Backup, restore, rebuild and doctor, by the command line and on real folders."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.org import OrgProcess, event, send
from support.org_folder import fill, known
from support.process import tocsin
from tocsin.journal import JournalError, copy_journal
from tocsin.org.doctor import Finding, examine
from tocsin.org.errors import OrgError
from tocsin.org.folder import RESTORING, DataFolder
from tocsin.org.opening import open_org
from tocsin.org.rebuild import rebuild, restore
from tocsin.org.records import ISSUED_BRANCH, AssertionUsed, UsedAssertion, org_deed
from tocsin.org.risk_index import RiskIndex

pytestmark = pytest.mark.slow
IPS = [f"203.0.113.{number}" for number in range(5)]
MORE = ["198.51.100.1", "2001:db8::1"]


def nothing(done: int, total: int) -> None:
    """Progress that nobody watches."""


def problems(data: Path, *, deep: bool = False) -> list[Finding]:
    return [finding for finding in examine(data, deep=deep) if finding.mend is not None]


async def test_a_backup_of_a_running_org_is_restored_elsewhere(tmp_path: Path) -> None:
    data, backup, there = tmp_path / "data", tmp_path / "backup.db", tmp_path / "there"
    with OrgProcess(data) as org, org.client(org.token()) as client:
        sent = send(client, *(event((ip, "HIGH")) for ip in IPS))
        made = tocsin("backup", str(backup), "--data", str(data))
        assert (made.returncode, made.stderr) == (0, "")
        assert f"up to entry {sent}," in made.stdout
        send(client, event(*[(ip, "LOW") for ip in MORE]))
        healthy = tocsin("doctor", "--deep", "--data", str(data))
        assert (healthy.returncode, healthy.stderr) == (0, "")
        assert {line.split()[0] for line in healthy.stdout.splitlines()} == {"ok"}
        for command in (["rebuild"], ["restore", str(backup), "--replace"]):
            refused = tocsin(*command, "--data", str(data))
            assert refused.returncode == 1
            assert "is in use by another process" in refused.stderr
        assert org.stop() == 0
    assert backup.stat().st_mode & 0o777 == 0o600
    assert tocsin("restore", str(backup), "--data", str(there)).returncode == 0
    assert await known(there, IPS) == await known(data, IPS)
    assert [view["level"] for view in await known(there, MORE)] == [None, None]
    assert problems(there, deep=True) == []
    with OrgProcess(there) as org:
        assert org.stop() == 0


async def test_a_backup_is_a_new_file_of_a_whole_journal(tmp_path: Path) -> None:
    data, there = tmp_path / "data", tmp_path / "there.db"
    await fill(data, IPS)
    there.write_bytes(b"precious")
    with pytest.raises(JournalError, match="is there already"):
        copy_journal(data / "journal.db", there, on_progress=nothing)
    assert there.read_bytes() == b"precious"
    spoil(data / "journal.db")
    with pytest.raises(JournalError):
        copy_journal(data / "journal.db", tmp_path / "copy.db", on_progress=nothing)
    assert not (tmp_path / "copy.db").exists()


async def test_what_is_no_whole_journal_is_not_restored_and_nothing_is_touched(tmp_path: Path) -> None:
    data, foreign = tmp_path / "data", tmp_path / "foreign.db"
    await fill(data, IPS)
    before = await known(data, IPS)
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE t (a)")
    damaged = tmp_path / "damaged.db"
    copy_journal(data / "journal.db", damaged, on_progress=nothing)
    spoil(damaged)
    for file in (foreign, damaged, tmp_path / "absent.db", data):
        with pytest.raises(JournalError) as caught:
            await restore(file, data, replace=True, on_progress=nothing)
        assert caught.value.hint
    assert await known(data, IPS) == before
    assert problems(data) == []


async def test_a_mistyped_backup_is_neither_made_nor_in_the_way_of_the_right_one(tmp_path: Path) -> None:
    data, backup, new = tmp_path / "data", tmp_path / "backup.db", tmp_path / "new"
    await fill(data, IPS)
    copy_journal(data / "journal.db", backup, on_progress=nothing)
    with pytest.raises(JournalError, match=r"absent\.db cannot be copied"):
        await restore(tmp_path / "absent.db", new, replace=False, on_progress=nothing)
    assert not (tmp_path / "absent.db").exists()
    await restore(backup, new, replace=False, on_progress=nothing)
    assert await known(new, IPS) == await known(data, IPS)


async def test_a_restore_puts_aside_what_was_there_and_only_when_asked(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    await fill(data, IPS)
    before = await known(data, [*IPS, *MORE])
    copy_journal(data / "journal.db", backup, on_progress=nothing)
    await fill(data, MORE)
    with pytest.raises(OrgError, match="is not empty") as caught:
        await restore(backup, data, replace=False, on_progress=nothing)
    assert "--replace" in str(caught.value.hint)
    for number in (1, 2):
        await restore(backup, data, replace=True, on_progress=nothing)
        assert await known(data, [*IPS, *MORE]) == before
        assert (data / f"replaced-{number}" / "journal.db").exists()
    again = tmp_path / "again"
    await restore(data / "replaced-1" / "journal.db", again, replace=False, on_progress=nothing)
    assert [view["level"] for view in await known(again, MORE)] == ["HIGH", "HIGH"]


async def test_a_restore_that_was_interrupted_is_ended_by_the_next(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    await fill(data, IPS)
    before = await known(data, IPS)
    copy_journal(data / "journal.db", backup, on_progress=nothing)
    # As killed after the journal was put aside, and before its successor was put in place.
    (data / RESTORING).write_text("replaced-1")
    (data / "replaced-1").mkdir()
    (data / "journal.db").rename(data / "replaced-1" / "journal.db")
    with pytest.raises(OrgError, match="was interrupted") as caught:
        await known(data, IPS)
    assert "tocsin restore" in str(caught.value.hint)
    assert [finding.check for finding in problems(data)] == ["marker"]
    await restore(backup, data, replace=True, on_progress=nothing)
    assert await known(data, IPS) == before
    assert sorted(path.name for path in data.glob("replaced-*")) == ["replaced-1"]


async def test_an_older_journal_than_what_was_applied_is_refused_until_all_is_rebuilt(tmp_path: Path) -> None:
    data, older = tmp_path / "data", tmp_path / "older.db"
    await fill(data, IPS)
    copy_journal(data / "journal.db", older, on_progress=nothing)
    await fill(data, MORE)
    shutil.copy(older, data / "journal.db")
    with pytest.raises(OrgError, match="it is older than the rest") as caught:
        await known(data, IPS)
    assert "tocsin rebuild" in str(caught.value.hint)
    assert [finding.check for finding in problems(data)] == ["directory", "risk index", "feed", "system log"]
    created = tocsin("token", "create", "t", "--data", str(data))
    assert created.returncode == 1
    assert "tocsin rebuild" in created.stderr
    await rebuild(DataFolder.open(data), on_progress=nothing)
    assert [view["level"] for view in await known(data, [*IPS, *MORE])] == ["HIGH"] * 5 + [None] * 2
    assert problems(data, deep=True) == []


async def test_a_rebuild_makes_anew_what_is_damaged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data, IPS)
    before = await known(data, IPS)
    (data / "index" / "data.mdb").write_bytes(b"torn" * 5000)
    (data / "directory.db").write_bytes(b"torn" * 5000)
    assert {finding.check for finding in problems(data)} == {"directory", "risk index"}
    seen: list[tuple[int, int]] = []
    last = await rebuild(DataFolder.open(data), on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (last, last)
    assert await known(data, IPS) == before
    assert problems(data, deep=True) == []


async def test_the_doctor_compares_what_was_issued_only_while_it_is_of_use(tmp_path: Path) -> None:
    data, now_ms = tmp_path / "data", int(time.time() * 1000)
    for until_ms, found in ((now_ms - 1, []), (now_ms + 3_600_000, ["directory"])):
        async with open_org(DataFolder.open(data)) as org:
            for digest in (b"%d" % until_ms, b"the last entry of the topic, which stays %d" % until_ms):
                await org.issued.use(AssertionUsed(org_deed(now_ms), "0oa", UsedAssertion(digest, until_ms)))
            await org.projector.catch_up()
            await org.journal.forget(ISSUED_BRANCH, org.projector.applied + 1)
        assert [finding.check for finding in problems(data)] == found


async def test_the_doctor_tells_each_thing_that_is_wrong_and_its_mend(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data, IPS)
    assert problems(data, deep=True) == []
    (data / "journal.db").chmod(0o640)
    (data / ".marker-abc").touch(mode=0o600)
    os.utime(data / ".marker-abc", (0, 0))
    with closing(sqlite3.connect(data / "directory.db", isolation_level=None)) as directory:
        directory.execute("UPDATE providers SET name = 'another'")
    index = RiskIndex(data / "index")
    index.sweep(b"", until_ms=2**47, providers=[], limit=1)  # one IP is gone
    index.close()
    for deep in (False, True):
        found = {finding.check: finding for finding in problems(data, deep=deep)}
        assert set(found) == {"permissions", "left over", "directory", "risk index"}
        assert "journal.db" in found["permissions"].text
        assert "providers" in found["directory"].text
        assert found["risk index"].text.startswith("1 IPs are not")
    told = tocsin("doctor", "--data", str(data))
    assert told.returncode == 1
    assert f"PROBLEM  permissions: others may use {data / 'journal.db'} - run `chmod -R go= {data}`" in told.stdout


async def test_the_doctor_tells_a_damaged_journal_and_no_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data, IPS)
    spoil(data / "journal.db")
    (damaged,) = problems(data)
    assert damaged.check == "journal"
    assert "tocsin restore" in str(damaged.mend)
    (absent,) = problems(tmp_path / "absent")
    assert absent.check == "marker"


def test_who_is_alone_in_a_folder_lets_nobody_in(tmp_path: Path) -> None:
    first, second = (DataFolder.open(tmp_path / "data") for _ in range(2))
    with first.in_use(), second.in_use(), pytest.raises(OrgError, match="in use"), first.alone():
        pass
    with first.alone(), pytest.raises(OrgError, match="rebuilt or restored"), second.in_use():
        pass
    with second.alone():
        pass


def spoil(journal: Path) -> None:
    """Overwrite all pages but the first, which says what the file is."""
    size = journal.stat().st_size
    with journal.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (size - 8192))
