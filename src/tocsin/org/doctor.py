"""What is wrong with a data folder, and how to mend it. Works while the org runs, and changes nothing."""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from msgspec import Struct

from tocsin.errors import TocsinError
from tocsin.journal import Entry, MemoryJournal, check_journal
from tocsin.journal.sqlite_file import JournalFile
from tocsin.org.assertions import Assertion
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.folder import DataFolder
from tocsin.org.oauth.issued import ENDS
from tocsin.org.registry import Registry
from tocsin.org.risk_index import RiskIndex

SAMPLE_ENTRIES = 300
_FREE_BYTES = 512 * 1024**2
_UNFINISHED = (".marker-*", ".journal.db.*", ".restor*")
_WRITTEN_WITHIN_S = 60.0
_FOR_OTHERS = 0o077
_LOCK_WAIT_S = 10.0
_MOVING_TRIES = 3
_REBUILD = "stop the org, and run `tocsin rebuild`"


class Finding(Struct, frozen=True):
    """What one check found."""

    check: str
    text: str
    mend: str | None = None
    """What to do about it; None when all is well."""


def examine(path: Path, *, deep: bool = False) -> Iterator[Finding]:
    """
    Check the data folder at `path`; each finding is told as it is found. Those behind a bad one may be left out.

    Args:
        deep: compare the whole risk index with one made anew, not only what the last entries put into it.
    """
    try:
        folder = DataFolder.open(path, create=False)
        with folder.in_use():
            yield Finding("marker", f"{path} is a data folder of an org")
            yield found("permissions", partial(permissions, path))
            yield found("left over", partial(left_over, path))
            yield found("disk", partial(disk, path))
            whole = found("journal", partial(_journal, folder))
            yield whole
            if whole.mend is None:
                yield found("directory", partial(_directory, folder))
                yield found("risk index", partial(_risk_index, folder, deep))
                yield found("feed", partial(_applied, folder, folder.feed))
                yield found("system log", partial(_applied, folder, folder.log))
    except OrgError as error:
        yield Finding("marker", error.summary, error.hint)


def found(check: str, look: Callable[[], str]) -> Finding:
    """What `look` found: its text, or the error that it raised with its mend."""
    try:
        return Finding(check, look())
    except TocsinError as error:
        return Finding(check, error.summary, error.hint or "see what it says")


def permissions(path: Path) -> str:
    """Of all that is in the folder at `path`. Raises OrgError when others may use any of it."""
    with telling(path):
        open_ones = [str(file) for file, found in _all_in(path) if found.st_mode & _FOR_OTHERS]
    if open_ones:
        raise OrgError(f"others may use {', '.join(open_ones[:3])}", hint=f"run `chmod -R go= {path}`")
    return "for its owner alone"


def left_over(path: Path) -> str:
    """Files of commands that were killed. Raises OrgError when there are any."""
    before_s = time.time() - _WRITTEN_WITHIN_S
    with telling(path):
        names = [file.name for file, found in _all_in(path) if found.st_mtime < before_s and _is_unfinished(file.name)]
    if names:
        raise OrgError(f"{', '.join(names)}: of a command that was killed", hint="delete it once no command runs")
    return "nothing of a killed command"


def disk(path: Path) -> str:
    """How much room is used and left. Raises OrgError when that is little."""
    with telling(path):
        free = shutil.disk_usage(path).free
        used = sum(found.st_blocks * 512 for _, found in _all_in(path))
    text = f"{used / 1024**2:,.0f} MiB used, {free / 1024**2:,.0f} MiB free"
    if free < _FREE_BYTES:
        raise OrgError(text, hint="free some space: without it nothing is accepted")
    return text


def _all_in(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folder and all that is in it but links; what is taken away while one looks is none of it."""
    yield path, path.stat()
    for folder, folders, files in os.walk(path):
        for file in (Path(folder, name) for name in (*folders, *files)):
            try:
                found = file.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISLNK(found.st_mode):
                yield file, found


def _is_unfinished(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _UNFINISHED)


def _journal(folder: DataFolder) -> str:
    last = check_journal(folder.journal)
    return f"whole, up to entry {last}"


def _directory(folder: DataFolder) -> str:
    now_ms = int(time.time() * 1000)
    found = _rows(folder.directory, now_ms=now_ms)
    ((cursor,),) = found.pop("cursor")
    assert isinstance(cursor, int)
    _refuse_ahead(folder, cursor)
    with tempfile.TemporaryDirectory() as scratch, closing(_open(folder)) as journal:
        remade = Path(scratch) / "directory.db"
        directory = Registry(MemoryJournal(), remade).directory
        for entries in _entries(journal, up_to=cursor):
            directory.apply(entries)
        directory.close()
        expected = _rows(remade, now_ms=now_ms)
        expected.pop("cursor")
    if found != expected:
        different = [table for table in expected if found.get(table) != expected[table]]
        raise OrgError(f"{', '.join(different) or 'its tables'} are not what the journal says", hint=_REBUILD)
    return f"what the journal says, up to entry {cursor}"


def _applied(folder: DataFolder, projection: Path) -> str:
    ((cursor,),) = _rows(projection)["cursor"]
    assert isinstance(cursor, int)
    _refuse_ahead(folder, cursor)
    return f"readable, up to entry {cursor}"


def _risk_index(folder: DataFolder, deep: bool) -> str:
    registry = Registry(MemoryJournal(), folder.directory)
    live = {provider.id for provider in registry.providers.all()}
    registry.directory.close()
    index = RiskIndex(folder.index, remake=False)
    try:
        for _ in range(_MOVING_TRIES):
            cursor = index.cursor()
            _refuse_ahead(folder, cursor)
            wrong = _wrong(folder, index, cursor, live, deep)
            if not wrong or not deep or index.cursor() == cursor:
                break
        else:
            raise OrgError("it changes too quickly to be compared as a whole", hint="stop the org, and look again")
        held = len(index)
    finally:
        index.close()
    if wrong:
        raise OrgError(f"{wrong} IPs are not what the journal says", hint=_REBUILD)
    compared = "all of it" if deep else "a sample"
    return f"{held:,} IPs held, what the journal says up to entry {cursor} ({compared} compared)"


def _wrong(folder: DataFolder, index: RiskIndex, cursor: int, live: Collection[str], deep: bool) -> int:
    """How many IPs are held otherwise than an index made anew, from all entries or the last ones, holds them."""
    now_ms = int(time.time() * 1000)
    with tempfile.TemporaryDirectory() as scratch, closing(_open(folder)) as journal:
        remade = RiskIndex(Path(scratch) / "index")
        try:
            for entries in _entries(journal, up_to=cursor, after=0 if deep else cursor - SAMPLE_ENTRIES):
                remade.apply(entries)
            missing = sum(
                not _knows(index.look_up(key).assertions, said, deep) for key, said in _holding(remade, live, now_ms)
            )
            if not deep:
                return missing
            return missing + sum(
                not _knows(remade.look_up(key).assertions, said, deep) for key, said in _holding(index, live, now_ms)
            )
        finally:
            remade.close()


def _knows(held: list[Assertion], said: Assertion, deep: bool) -> bool:
    """Whether `said` is held; for a sample, something newer will do: it may stand before the sample."""
    return said in held or (
        not deep
        and any(other.provider_id == said.provider_id and other.observed_ms > said.observed_ms for other in held)
    )


def _holding(index: RiskIndex, live: Collection[str], now_ms: int) -> Iterator[tuple[bytes, Assertion]]:
    for key, assertions in index.dump():
        for said in assertions:
            if said.provider_id in live and said.expires_ms > now_ms:
                yield key, said


def _refuse_ahead(folder: DataFolder, cursor: int) -> None:
    with closing(_open(folder)) as journal:
        last = journal.last(None)
    if cursor > last:
        text = (
            f"the journal ends with entry {last}, and entries up to {cursor} were applied: an older one is in its place"
        )
        raise OrgError(text, hint=_REBUILD)


def _open(folder: DataFolder) -> JournalFile:
    return JournalFile(folder.journal, create=False, lock_wait_s=_LOCK_WAIT_S)


def _entries(journal: JournalFile, *, up_to: int, after: int = 0) -> Iterator[list[Entry]]:
    while entries := [entry for entry in journal.read(after, 256) if entry.seq <= up_to]:
        yield entries
        after = entries[-1].seq


def _rows(path: Path, *, now_ms: int = 0) -> dict[str, list[tuple[object, ...]]]:
    """
    All rows of all tables of a SQLite file, of one moment, but for those of no use any more at `now_ms`.

    The directory forgets these when something else is issued, and the journal when it is trimmed: at other times.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {table: sorted(db.execute(_select(table), {"now": now_ms}), key=repr) for table in tables}
    except sqlite3.Error as error:
        raise OrgError(f"{path} cannot be read: {error}", hint=_REBUILD) from error


def _select(table: str) -> str:
    of_use = f" WHERE {ENDS[table]} >= :now" if table in ENDS else ""
    return f'SELECT * FROM "{table}"{of_use}'  # noqa: S608
