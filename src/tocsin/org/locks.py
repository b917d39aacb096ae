"""Locks on the files of a data folder: they go when the process that holds them does, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling

ALONE, SHARED = fcntl.LOCK_EX, fcntl.LOCK_SH


@contextmanager
def locked(place: Path, how: int, busy: str, hint: str) -> Iterator[None]:
    """Hold the lock of the file at `place`, made where there is none. Raises OrgError(busy) when it is not free."""
    with telling(place.parent):
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OrgError(busy, hint=hint) from None
        yield
    finally:
        os.close(handle)  # and with it the lock goes


@contextmanager
def serving(path: Path) -> Iterator[None]:
    """Be the one process that serves the data folder at `path`. Raises OrgError when another one is."""
    busy = f"{path} is already served by another process"
    with locked(path / "lock", ALONE, busy, "stop that one first, or name another folder with --data"):
        yield
