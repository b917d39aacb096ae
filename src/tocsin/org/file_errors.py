"""Errors of the file system as errors of the org: what each means for a data folder, and what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.org.errors import OrgError

ELSEWHERE = "name another folder with --data"


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Errors of the file system as OrgErrors that name the data folder at `path` and say what to do."""
    try:
        yield
    except OSError as error:
        text, hint = _MEANINGS.get(error.errno or 0, (error.strerror or str(error), "check the path and the disk"))
        raise OrgError(f"data folder {path}: {text}", hint=hint) from error


_MEANINGS = {
    errno.EACCES: ("no permission to use it", "check who may read and write there, or " + ELSEWHERE),
    errno.EPERM: ("no permission to use it", "check who may read and write there, or " + ELSEWHERE),
    errno.EROFS: ("it is on a read-only disk", "mount the disk for writing, or " + ELSEWHERE),
    errno.ENOSPC: ("the disk is full", "free some space; what was accepted before is all there"),
    errno.EDQUOT: ("the disk quota is used up", "free some space; what was accepted before is all there"),
    errno.ENOTDIR: ("it is not a folder", ELSEWHERE),
    errno.EEXIST: ("it is not a folder", ELSEWHERE),
    errno.ENOENT: ("there is none", "check the path; `tocsin serve` makes one"),
}
