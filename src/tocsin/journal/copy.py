"""A whole, checked copy of a journal that may be in use.

SQLite makes it, and nobody else may open a live file of its: closing it again would drop the locks that this process
holds on it. The copy is of one moment. Appends go on meanwhile; their write-ahead log grows until the copy is made.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tocsin.journal.protocol import JournalError
from tocsin.journal.sqlite_errors import journal_error
from tocsin.journal.sqlite_file import last_seq, recognise

_PAGES_AT_ONCE = 1024  # 8 MiB
Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


def copy_journal(source: Path, to: Path, *, at_rest: bool = False, on_progress: Progress) -> int:
    """
    Copy the journal `source` to the new file `to`, mode 0600: whole, checked and on the disk, or not there at all.

    Args:
        at_rest: nobody has `source` open, so that it may lie on a disk that cannot be written.
    Returns: the seq of its last entry.
    Raises: JournalError, when `source` is no journal or damaged, or `to` cannot be made or is there already.
    """
    if to.exists():
        raise JournalError(
            f"{to} is there already; it was left as it is", hint="name another file, or move that one away"
        )
    try:
        handle, unfinished = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")  # made with mode 0600
    except OSError as error:
        raise journal_error(to, "cannot be made", error) from error
    os.close(handle)
    try:
        last = _copy(source, Path(unfinished), at_rest, on_progress)
        check_journal(Path(unfinished))
        sync(Path(unfinished))
        os.link(unfinished, to)
        sync(to.parent)
    except (sqlite3.Error, OSError) as error:
        raise journal_error(to, "cannot be made", error) from error
    finally:
        Path(unfinished).unlink()
    return last


def check_journal(path: Path) -> int:
    """
    Read all of the journal at `path`, and see that it is whole.

    Returns: the seq of its last entry. Raises: JournalError, when it is not.
    """
    try:
        with closing(_reading(path, at_rest=False)) as connection:
            recognise(connection, path)
            problems = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
            if problems != ["ok"]:
                raise sqlite3.DatabaseError("; ".join(problems).replace("\n", " "))
            return last_seq(connection, None)
    except sqlite3.DatabaseError as error:
        told = journal_error(path, "is not whole", error)
        hint = "put a backup in its place with `tocsin restore`, or save what can be read with `sqlite3 FILE .recover`"
        raise JournalError(str(told), hint=hint) from error


def _copy(source: Path, to: Path, at_rest: bool, on_progress: Progress) -> int:
    try:
        with closing(_reading(source, at_rest=at_rest)) as connection, closing(sqlite3.connect(to)) as copy:
            recognise(connection, source)
            # In a transaction, or each append of another process would make it begin again.
            connection.execute("BEGIN")
            last = last_seq(connection, None)
            connection.backup(
                copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: on_progress(total - left, total)
            )
            return last
    except sqlite3.Error as error:
        raise journal_error(source, "cannot be copied", error) from error


def _reading(path: Path, *, at_rest: bool) -> sqlite3.Connection:
    # Immutable, it needs no log and no lock beside it; with a log beside it, what stands in there must be read too.
    as_it_is = at_rest and not Path(f"{path}-wal").exists()
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if as_it_is else "?mode=rw")
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def sync(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk. Not for a file that SQLite has open; raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
