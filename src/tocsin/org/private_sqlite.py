"""SQLite files that their owner alone may read."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling

_LOCK_WAIT_S = 10.0


def connect(path: Path) -> sqlite3.Connection:
    """The file at `path`, made with mode 0600 where there is none; commits are told (isolation_level None)."""
    _make(path)
    return sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)


@contextmanager
def telling_of(path: Path, *, hint: str) -> Iterator[None]:
    """Errors of SQLite and of the file system as OrgErrors that name the file at `path`."""
    try:
        with telling(path.parent):
            yield
    except sqlite3.Error as error:
        raise OrgError(f"{path} cannot be used: {error}", hint=hint) from error


def delete(path: Path) -> None:
    """Delete the file at `path` and what SQLite keeps beside it; nobody may have it open."""
    for file in with_its_log(path):
        file.unlink(missing_ok=True)


def with_its_log(path: Path) -> list[Path]:
    """The file at `path` and what SQLite may keep beside it, which comes first: it must not outlive the file."""
    return [Path(f"{path}{suffix}") for suffix in ("-journal", "-wal", "-shm", "")]


def _make(path: Path) -> None:
    """An empty file for its owner alone, where there is none; SQLite would let everybody read it."""
    try:
        # EXCL, so that one that is there is not even opened: to close it again would drop the locks that this process'
        # other connections hold on it, and the next process to end would take the write-ahead log away from under us.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
