"""What an error of SQLite or of the file system means for a journal, in one line, and what to do about it."""

import errno
import sqlite3
from pathlib import Path
from typing import NamedTuple

from tocsin.journal.protocol import JournalError


class _Meaning(NamedTuple):
    text: str
    hint: str


_FULL = _Meaning("the disk is full", "free some space; what was accepted before is all there")
_READ_ONLY = _Meaning(
    "it is read-only", "let this user write to the file and its folder, or mount the disk for writing"
)
_LOCKED = _Meaning(
    "another process keeps it locked", "find the process that holds the file (a backup, a shell), and end it"
)
_DAMAGED = _Meaning(
    "it is damaged", "stop what uses it, keep a copy, then restore a backup or run `sqlite3 FILE .recover`"
)
_FOREIGN = _Meaning(
    "it is not a Tocsin journal",
    "name another folder for Tocsin's data; to restore, name a file that `tocsin backup` wrote",
)
_UNREACHABLE = _Meaning(
    "there is none, or no access to it",
    "check the path, that its disk can be written, and who may read and write in that folder",
)
_DISK = _Meaning("the disk failed", "look at the system's log for this disk, and at its free space")

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _FOREIGN,
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
    sqlite3.SQLITE_IOERR: _DISK,
}
_PRIMARY = 0xFF  # an extended result code keeps its primary code in the low byte
_BY_ERRNO = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EROFS: _READ_ONLY}


def journal_error(path: Path, what: str, error: Exception) -> JournalError:
    """Says what went wrong with `path` (`what`, such as "cannot be read"), why, and what to do."""
    if isinstance(error, OSError):
        text, hint = _BY_ERRNO.get(error.errno or 0, _Meaning(str(error.strerror), _UNREACHABLE.hint))
        return JournalError(f"{path} {what}: {text}", hint=hint)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    unexpected = _Meaning(str(error), "this should not happen: please report it, with this line")
    text, hint = _BY_SQLITE_CODE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY, unexpected)
    return JournalError(f"{path} {what}: {text} ({name})", hint=hint)


def not_a_journal(path: Path) -> JournalError:
    """It is a good SQLite file, of something else."""
    return JournalError(f"{path} cannot be opened: {_FOREIGN.text}, and was left as it is", hint=_FOREIGN.hint)


def too_new(path: Path, written: int, known: int) -> JournalError:
    """It is a journal, in a later format."""
    text = f"{path} was written by a newer Tocsin (format {written}; this one knows {known}), and was left as it is"
    return JournalError(text, hint="use that version again, or a later one")
