"""A disk that fails: what the journal says, that nothing was accepted, and that it works again when the disk does."""

import asyncio
import errno
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tocsin.journal import JournalError, SqliteJournal
from tocsin.journal.sqlite_errors import journal_error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextmanager
def files_cannot_grow_beyond(size: int) -> Iterator[None]:
    """A disk that refuses more, for this process, without the need for one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_accepts_nothing_and_the_journal_outlives_it(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    accepted = [await journal.append("a", b"before")]
    with files_cannot_grow_beyond(256 * 1024):
        refused = await asyncio.gather(*(journal.append("a", bytes(100_000)) for _ in range(8)), return_exceptions=True)
    texts = {str(error) for error in refused if isinstance(error, JournalError)}
    assert texts == {f"{path} was not appended to: the disk failed (SQLITE_IOERR_WRITE)"}
    written = [result for result in refused if isinstance(result, int)]
    assert len(written) < len(refused)
    assert all(error.hint for error in refused if isinstance(error, JournalError))
    accepted = [*accepted, *written, await journal.append("a", b"after")]
    assert [entry.seq for entry in await journal.read()] == accepted
    await journal.close()


async def test_a_writer_that_keeps_the_lock_is_waited_for_and_then_told_of(path: Path) -> None:
    journal = await SqliteJournal.open(path, lock_wait_s=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another process keeps it locked") as caught:
            await journal.append("a", b"refused")
        assert caught.value.hint
        assert await journal.read() == [], "reads do not wait for writers"
    assert await journal.append("a", b"accepted") == 1
    await journal.close()


async def test_a_damaged_file_is_told_of(path: Path) -> None:
    journal = await SqliteJournal.open(path)
    for _ in range(10):
        await journal.append("a", bytes(20_000))
    await journal.close()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(8192)  # the first page says what the file is and stays good
        file.write(b"\xff" * (size - 8192))
    journal = await SqliteJournal.open(path)
    for broken in (journal.read(), journal.append("a", b""), journal.last("a")):
        with pytest.raises(JournalError, match="it is damaged") as caught:
            await broken
        assert caught.value.hint
    await journal.close()


def raised_by(act: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        act()
    return caught.value


def full() -> sqlite3.Error:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (body)")
        connection.execute("PRAGMA max_page_count = 2")
        return raised_by(lambda: connection.execute("INSERT INTO t VALUES (zeroblob(100000))"))


def read_only() -> sqlite3.Error:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA query_only = 1")
        return raised_by(lambda: connection.execute("CREATE TABLE t (body)"))


def mistaken() -> sqlite3.Error:
    with closing(sqlite3.connect(":memory:")) as connection:
        return raised_by(lambda: connection.execute("SELECT 1 FROM absent"))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (full(), "the disk is full (SQLITE_FULL)"),
        (read_only(), "it is read-only (SQLITE_READONLY)"),
        (mistaken(), "no such table: absent (SQLITE_ERROR)"),
        (sqlite3.ProgrammingError("no code"), "no code (ProgrammingError)"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "it is read-only"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_system_says_is_told_in_one_line_with_a_hint(error: Exception, text: str) -> None:
    told = journal_error(Path("journal.db"), "cannot be read", error)
    assert str(told) == f"journal.db cannot be read: {text}"
    assert told.hint
    assert "\n" not in f"{told}{told.hint}"
