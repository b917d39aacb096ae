"""The files behind the path of a log that grows, one after another, as portions of whole lines.

Rotated by rename, the old file is read to its end before the new one is begun, also when that happened while nobody
read: it is looked for beside the new one. Rotated by truncation, the file is read from its start again. A last line
without its end waits for it.
"""

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from tocsin.sources.errors import SourceError
from tocsin.sources.opening import CHUNK_BYTES

_PORTION_BYTES = 4 * 1024 * 1024
_ENDS_BYTES = 256
_ROTATED = re.compile(r"[.-][0-9]{1,10}")
_MISSES = 30  # so many looks that find nothing at the path, before that is said
_WAITS = 2  # so many looks at a rotated file that bring nothing, before it is left: its writer may not know yet


class Place(Struct, frozen=True):
    """How far a file was read; the position of the source, as JSON."""

    dev: int
    ino: int
    at: int = 0
    """Bytes."""
    line: int = 0
    """Lines before `at`."""
    head: int = 0
    """Checksum of the first bytes before `at`, to know a file that was truncated and has grown again."""
    tail: int = 0
    """Checksum of the last bytes before `at`: many logs begin alike, with a header."""


class Portion(NamedTuple):
    """Some whole lines of a file."""

    content: bytes
    place: Place
    """Before them."""
    start: bytes
    """The beginning of the file, to know its format and its header."""
    before: bytes
    """The last bytes before `place`."""
    lost: Place | None = None
    """How far a file was read before that is not to be found any more; what followed there was not read."""


def place_after(portion: Portion, read: int) -> Place:
    """Where to go on once so many bytes of the portion are durable."""
    place, content = portion.place, portion.content
    at = place.at + read
    lines = place.line + content.count(b"\n", 0, read)
    last = (portion.before + content[max(0, read - _ENDS_BYTES) : read])[-_ENDS_BYTES:]
    return Place(place.dev, place.ino, at, lines, _checksum(portion.start, at), zlib.crc32(last))


def _checksum(start: bytes, at: int) -> int:
    return zlib.crc32(start[: min(at, _ENDS_BYTES)])


def _last_before(file: BinaryIO, at: int) -> bytes:
    size = min(at, _ENDS_BYTES)
    file.seek(at - size)
    return file.read(size)


def _is_read_up_to(file: BinaryIO, place: Place) -> bool:
    """Whether the file still holds what was read of it."""
    if os.fstat(file.fileno()).st_size < place.at:
        return False
    file.seek(0)
    begins = _checksum(file.read(_ENDS_BYTES), place.at) == place.head
    return begins and zlib.crc32(_last_before(file, place.at)) == place.tail


def _is_rotation(name: str, of: Path) -> bool:
    """`log.1`, `log-20260105` and `log.20260105`, also before the suffix: `eve-20260105.json`."""
    return any(
        name.startswith(start) and name.endswith(end) and _ROTATED.fullmatch(name[len(start) : len(name) - len(end)])
        for start, end in ((of.name, ""), (of.stem, of.suffix))
    )


class Follower:
    """The files behind one path, one after another. Not for an event loop: it reads from disk."""

    def __init__(self, path: Path, place: Place | None) -> None:
        self._path, self._place = path, place
        self._file: BinaryIO | None = None
        self._start = b""
        self._waited = 0
        self._lost: Place | None = None

    def next(self) -> Portion | None:
        """
        The next whole lines; None when there are none now.

        Raises: SourceError, when the file cannot be read.
        """
        try:
            if self._file is None:
                self._begin()
            return self._more() or self._rotated()
        except OSError as error:
            hint = "nothing is lost; check the path"
            raise SourceError(f"{self._path} cannot be read: {error.strerror}", hint=hint) from None

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        """Where the place says, if that file is still to be found; else the start of what is at the path."""
        place = self._place
        if place is not None:
            if any(self._open(path, place) for path in (self._path, *self._with_inode(place.ino))):
                return
            self._lost = place
        self._open(self._path, None)

    def _with_inode(self, inode: int) -> list[Path]:
        """The file in this folder that has it, whatever its name is now."""
        return [path for path, stat in self._beside() if stat.st_ino == inode]

    def _beside(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._path.parent.iterdir():
            with suppress(FileNotFoundError):  # it is being rotated
                yield path, path.lstat()

    def _open(self, path: Path, place: Place | None) -> bool:
        try:
            file = path.open("rb")
        except OSError:
            if place is None:
                raise
            return False
        stat = os.fstat(file.fileno())
        start = file.read(CHUNK_BYTES)
        if place is not None:
            same = (place.dev, place.ino) == (stat.st_dev, stat.st_ino)
            if not same or not _is_read_up_to(file, place):
                file.close()
                return False
        self.close()
        self._file, self._start, self._waited = file, start, 0
        self._place = place or Place(stat.st_dev, stat.st_ino)
        return True

    def _more(self, *, to_the_end: bool = False) -> Portion | None:
        file, place = self._file, self._place
        assert file is not None
        assert place is not None
        if not _is_read_up_to(file, place):  # it was truncated
            place = self._place = Place(place.dev, place.ino)
            self._start = b""
        if len(self._start) < CHUNK_BYTES:
            file.seek(0)
            self._start = file.read(CHUNK_BYTES)
        before = _last_before(file, place.at)
        content = file.read(_PORTION_BYTES)
        whole = len(content) if to_the_end else content.rfind(b"\n") + 1
        if not whole and len(content) == _PORTION_BYTES:
            whole = len(content)  # one line longer than any that is read: it is counted, and passed over
        if not whole:
            return None
        lost, self._lost = self._lost, None
        portion = Portion(content[:whole], place, self._start, before, lost)
        self._place = place_after(portion, whole)
        self._waited = 0
        return portion

    def _rotated(self) -> Portion | None:
        """What is left of a file that is no longer at the path; the one that came after it is open then."""
        file, place = self._file, self._place
        assert file is not None
        assert place is not None
        try:
            now = self._path.stat()
        except FileNotFoundError:
            self._waited += 1
            if self._waited <= _MISSES:
                return None  # between two files
            raise
        if (now.st_dev, now.st_ino) == (place.dev, place.ino):
            return None
        self._waited += 1
        if self._waited < _WAITS:
            return None
        following = self._following(os.fstat(file.fileno()))
        rest = self._more(to_the_end=True)
        self._open(following, None)
        return rest or self._more()

    def _following(self, ours: os.stat_result) -> Path:
        """The next of the files, where several were rotated since; by when they were last written."""
        later = list[tuple[int, Path]]()
        for path, stat in self._beside():
            if not _is_rotation(path.name, self._path):
                continue
            if stat.st_mtime_ns > ours.st_mtime_ns and stat.st_ino != ours.st_ino:
                later.append((stat.st_mtime_ns, path))
        return min(later)[1] if later else self._path
