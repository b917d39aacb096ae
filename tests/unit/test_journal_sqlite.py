"""The embedded journal's file: its making, its look-alikes, its sharing between processes, and shared commits."""

import asyncio
import os
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tocsin.journal import Entry, JournalError, SqliteJournal
from tocsin.journal.sqlite_file import FORMAT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def commits_in(wal: Path) -> int:
    """How many transactions a write-ahead log holds: frames that carry the size after a commit (SQLite's format)."""
    log = wal.read_bytes()
    (page_size,) = struct.unpack_from(">I", log, 8)
    frame_starts = range(32, len(log), 24 + page_size)
    return sum(struct.unpack_from(">I", log, start + 4) != (0,) for start in frame_starts)


async def test_entries_outlive_the_journal_that_took_them(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    seqs = [await journal.append("a", b"%d" % n) for n in range(3)]
    await journal.close()
    journal = await SqliteJournal.open(path, create=False)
    assert await journal.read() == [Entry(seq, "a", b"%d" % n) for n, seq in enumerate(seqs)]
    assert await journal.append("a", b"more") > seqs[-1]
    await journal.close()


async def test_a_seq_never_comes_twice(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    seqs = [await journal.append("a", b"") for _ in range(3)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM entries")
    assert await journal.append("a", b"") == seqs[-1] + 1
    await journal.close()


async def test_only_the_owner_may_read_what_was_accepted(path: Path) -> None:
    with umask(0):
        journal = await SqliteJournal.open(path)
        await journal.append("a", b"")
    files = list(path.parent.iterdir())
    assert {file.name for file in files} == {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await journal.close()


async def test_many_may_open_a_new_journal_at_once(path: Path) -> None:
    journals = await asyncio.gather(*(SqliteJournal.open(path) for _ in range(8)))
    seqs = await asyncio.gather(*(journal.append("a", b"") for journal in journals))
    assert sorted(seqs) == list(range(1, 9))
    for journal in journals:  # the last one to close takes the log away, and two at once may each see the other
        await journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


async def test_looking_makes_no_journal(path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.db cannot be opened: there is none") as caught:
        await SqliteJournal.open(path, create=False)
    assert caught.value.hint
    assert list(path.parent.iterdir()) == []


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file or directory"):
        await SqliteJournal.open(tmp_path / "absent" / "journal.db")


@pytest.mark.parametrize("content", [b"", b"1.2.3.4\n" * 2000], ids=["empty", "text"])
def test_a_file_that_is_something_else_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a Tocsin journal") as caught:
        asyncio.run(SqliteJournal.open(path))
    assert caught.value.hint
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entries (id)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a Tocsin journal, and was left as it is"):
        asyncio.run(SqliteJournal.open(path))
    assert path.read_bytes() == before


async def test_a_journal_of_a_newer_version_is_left_to_it(path: Path) -> None:
    await (await SqliteJournal.open(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(JournalError, match=rf"newer Tocsin \(format {FORMAT + 1}; this one knows {FORMAT}\)"):
        await SqliteJournal.open(path)


async def test_concurrent_appends_share_commits(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    await asyncio.gather(*(journal.append("a", b"%d" % n) for n in range(200)))
    commits = commits_in(path.with_name("journal.db-wal"))
    await journal.close()
    assert 1 <= commits <= 20


async def test_appends_one_after_the_other_are_durable_one_by_one(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    for _ in range(5):
        await journal.append("a", b"")
    commits = commits_in(path.with_name("journal.db-wal"))
    await journal.close()
    assert commits == 5


async def test_a_follower_is_woken_by_its_own_process_without_looking_again(path: Path) -> None:
    journal = await SqliteJournal.open(path, look_again_s=3600)
    follower = journal.follow()
    for number in range(9):
        waiting = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0.005)  # so that it has looked, and would look again in an hour
        await journal.append("a", b"%d" % number)
        (entry,) = await asyncio.wait_for(waiting, 30)
        assert entry.body == b"%d" % number
    await journal.close()
