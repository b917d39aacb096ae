"""A file that grows: a log. It is read on from where it was, across restarts and rotations.

Rotated by rename, the old file is read to its end before the new one is begun, also when that happened while nobody
read: it is looked for beside the new one. Rotated by truncation, the file is read from its start again. A last line
without its end waits for it. What is compressed is no longer followed: it was read before.
"""

import asyncio
import os
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.inputs.portions import Portions
from tocsin.sources.inputs.settings import form_of
from tocsin.sources.opening import CHUNK_BYTES
from tocsin.sources.read import open_source_input
from tocsin.sources.source import Clock

EVERY_S = 1.0
_PORTION_BYTES = 4 * 1024 * 1024
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_HEAD_BYTES = 256
_ROTATED = re.compile(r"[.-][0-9]{1,10}")
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


class Portion(NamedTuple):
    """Some whole lines of a file."""

    content: bytes
    place: Place
    """Before them."""
    start: bytes
    """The beginning of the file, to know its format and its header."""


def is_followed(path: Path, config: SourceConfig) -> bool:
    """Whether the configuration says so, or else the format. Raises: SourceError, for a format that is none."""
    if config.follow is not None:
        return config.follow
    form = form_of(config)
    try:
        with path.open("rb") as file:
            if file.read(4).startswith(_PACKED):
                return False
        return (form or _form_by_content(path)).grows
    except (OSError, SourceError):
        return form is not None and form.grows  # empty, or in no format by its content


def _form_by_content(path: Path) -> Format:
    with open_source_input(str(path)) as source:
        return source.form


class FollowSource:
    """Follows one file."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._path = Path(str(config.path))
        self._every_s = config.every_s or EVERY_S
        self._portions = Portions(name, config, clock)

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        follower = Follower(self._path, _place(position))
        try:
            while True:
                portion = await asyncio.to_thread(follower.next)
                if portion is None:
                    await asyncio.sleep(self._every_s)
                    continue
                batches = self._of(portion)
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    yield batch
        finally:
            follower.close()

    def _of(self, portion: Portion) -> Iterator[Batch]:
        form = self._portions.known_by(portion.start, str(self._path))
        place, content = portion.place, portion.content
        header = form.header(portion.start) if place.at else b""

        def position(read: int) -> bytes:
            return msgspec.json.encode(_after(place, content, read, portion.start))

        return self._portions.batches(content, position, header=header, line=place.line)


def _after(place: Place, content: bytes, read: int, start: bytes) -> Place:
    at = place.at + read
    lines = place.line + content.count(b"\n", 0, read)
    return Place(place.dev, place.ino, at, lines, _checksum(start, at))


def _checksum(start: bytes, at: int) -> int:
    return zlib.crc32(start[: min(at, _HEAD_BYTES)])


def _place(position: bytes) -> Place | None:
    try:
        return msgspec.json.decode(position, type=Place) if position else None
    except msgspec.MsgspecError:
        return None  # of another kind of input under the same name: begin at the start


class Follower:
    """The files behind one path, one after another. Not for an event loop: it reads from disk."""

    def __init__(self, path: Path, place: Place | None) -> None:
        self._path, self._place = path, place
        self._file: BinaryIO | None = None
        self._start = b""
        self._waited = 0

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
            for path in (self._path, *sorted(self._path.parent.glob(f"{self._path.name}?*"))):
                if self._open(path, place):
                    return
        self._open(self._path, None)

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
            if not same or stat.st_size < place.at or _checksum(start, place.at) != place.head:
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
        if self._is_truncated():
            place = self._place = Place(place.dev, place.ino)
        if len(self._start) < CHUNK_BYTES:
            file.seek(0)
            self._start = file.read(CHUNK_BYTES)
        file.seek(place.at)
        content = file.read(_PORTION_BYTES)
        whole = len(content) if to_the_end else content.rfind(b"\n") + 1
        if not whole and len(content) == _PORTION_BYTES:
            whole = len(content)  # one line longer than any that is read: it is counted, and passed over
        if not whole:
            return None
        content = content[:whole]
        self._place = _after(place, content, whole, self._start)
        self._waited = 0
        return Portion(content, place, self._start)

    def _is_truncated(self) -> bool:
        file, place = self._file, self._place
        assert file is not None
        assert place is not None
        if os.fstat(file.fileno()).st_size < place.at:
            return True
        file.seek(0)
        return _checksum(file.read(_HEAD_BYTES), place.at) != place.head

    def _rotated(self) -> Portion | None:
        """What is left of a file that is no longer at the path; the one that came after it is open then."""
        file, place = self._file, self._place
        assert file is not None
        assert place is not None
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None  # between two files
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
        for path in self._path.parent.glob(f"{self._path.name}?*"):
            if not _ROTATED.fullmatch(path.name.removeprefix(self._path.name)):
                continue
            stat = path.stat()
            if stat.st_mtime_ns > ours.st_mtime_ns and stat.st_ino != ours.st_ino:
                later.append((stat.st_mtime_ns, path))
        return min(later)[1] if later else self._path
