"""Making the projections of a data folder again from its journal, and putting a backup of the journal in its place.

A restore puts aside, before anything else, what was in the folder: `replaced-N/` keeps every journal that was there. It
may be killed at any line: from the first change to the last a file says so, no other command uses the folder, and the
next restore does what is left to do.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from tocsin.journal import copy_journal
from tocsin.journal.copy import sync
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.folder import RESTORING, DataFolder
from tocsin.org.opening import org_behind, registry_of
from tocsin.org.private_sqlite import with_its_log
from tocsin.org.projector import Projector
from tocsin.org.rounds import in_background
from tocsin.org.trimmed import Whole, pass_over_what_is_gone

_TELL_EVERY_S = 0.1
_RESTORED = ".restored-journal.db"
_OF_A_FAILED_RESTORE = {"marker.json", "users.lock"}
Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


async def rebuild(folder: DataFolder, *, on_progress: Progress) -> int:
    """
    Make all projections of `folder` again from its journal.

    Killed in between, it goes on at the next start of anything that uses the folder.
    Returns: the seq of the last entry applied.
    Raises: OrgError, when somebody uses the folder, or others trimmed the journal meanwhile; JournalError.
    """
    with folder.alone():
        return await _rebuild(folder, on_progress)


async def restore(backup: Path, path: Path, *, replace: bool, on_progress: Progress) -> int:
    """
    Make the data folder at `path` one with the journal of the file `backup`.

    Args:
        replace: also when there is one already, which nobody may use. Its journal is put aside, not deleted.
    Returns: the seq of the last entry.
    Raises: OrgError, when the folder is not empty or in use; JournalError, when `backup` is no whole journal.
    """
    folder = _to_restore(path, replace=replace)
    with folder.alone():
        _put_in_place(backup, folder, on_progress)
        return await _rebuild(folder, on_progress)


def _to_restore(path: Path, *, replace: bool) -> DataFolder:
    with telling(path):
        if not replace and path.exists() and not {file.name for file in path.iterdir()} <= _OF_A_FAILED_RESTORE:
            hint = "name an empty folder, or add --replace to put its journal aside"
            raise OrgError(f"{path} is not empty; it was left as it is", hint=hint)
    return DataFolder.open(path, half_restored=True)


def _put_in_place(backup: Path, folder: DataFolder, on_progress: Progress) -> None:
    path, restored = folder.path, folder.path / _RESTORED
    with telling(path):
        restored.unlink(missing_ok=True)
    copy_journal(backup, restored, at_rest=True, on_progress=on_progress)
    with telling(path):
        _put_aside(folder)
        folder.delete_projections()
        restored.rename(folder.journal)
        sync(path)
        (path / RESTORING).unlink()
        sync(path)


async def _rebuild(folder: DataFolder, on_progress: Progress) -> int:
    folder.delete_projections()
    if folder.backing.shared:
        async with registry_of(folder) as registry:
            await registry.projector.catch_up()
            before = registry.trimmed.before
        pass_over_what_is_gone(folder, before)
    async with org_behind(folder) as org:
        last = await org.journal.last()
        async with in_background(_telling_how_far(org.projector, last, on_progress)):
            await org.projector.catch_up()
        if org.trimmed is not None:
            whole = Whole(folder)
            await whole.look(org.projector, org.trimmed)
            whole.keep()
        on_progress(last, last)
        return last


async def _telling_how_far(projector: Projector, last: int, on_progress: Progress) -> None:
    while True:
        on_progress(projector.applied, last)
        await asyncio.sleep(_TELL_EVERY_S)


def _put_aside(folder: DataFolder) -> None:
    """Move the journal that is there into a folder of its own, whose name is noted before: a next try goes on there."""
    note = folder.path / RESTORING
    named = note.read_text() if note.exists() else ""
    aside = folder.path / named
    if not named or (aside / folder.journal.name).exists():  # that one is whole
        aside = next(place for place in _places(folder.path) if not place.exists())
        unfinished = note.with_name(f".{RESTORING}")
        unfinished.write_text(aside.name)
        sync(unfinished)
        unfinished.rename(note)
        sync(folder.path)
    for file in with_its_log(folder.journal):
        if file.exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            file.rename(aside / file.name)


def _places(path: Path) -> Iterator[Path]:
    return (path / f"replaced-{number}" for number in count(1))
