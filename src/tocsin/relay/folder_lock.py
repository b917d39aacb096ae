"""One relay uses a state folder at a time: who holds the lock on a file in it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tocsin.relay.errors import RelayError

_FILE = "relay.lock"
_TRIES, _TRY_AGAIN_AFTER_S = 20, 0.05
"""Who only asks whether a relay runs holds the lock for a moment, and must not stop one from starting."""


@asynccontextmanager
async def only_relay(folder: Path) -> AsyncIterator[None]:
    """Be the one relay that uses this folder. Raises RelayError when another one does."""
    for _ in range(_TRIES):
        handle = _locked(folder)
        if handle is not None:
            break
        await asyncio.sleep(_TRY_AGAIN_AFTER_S)
    else:
        raise RelayError(f"another relay uses {folder}", hint="stop that one, or name another folder")
    try:
        yield
    finally:
        os.close(handle)  # and with it the lock goes


def is_running(folder: Path) -> bool:
    """Whether a relay uses this state folder now. Raises RelayError when that cannot be told."""
    try:
        handle = os.open(folder / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        return not _taken(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _locked(folder: Path) -> int | None:
    """The open file, with the lock; None while someone else holds it, or has just removed the folder."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(folder, error) from None
    if _taken(handle, fcntl.LOCK_EX) and os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return None


def _taken(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unusable(folder: Path, error: OSError) -> RelayError:
    return RelayError(f"state folder {folder}: {error.strerror}", hint="name another one, or mend it")
