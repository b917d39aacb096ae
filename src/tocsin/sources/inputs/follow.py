"""A file that grows: a log. It is read on from where it was, across restarts and rotations (`growing`).

What is compressed is not followed: before it was rotated and packed it was read.
"""

import asyncio
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from tocsin.signals import Batch, Skipped, SkipReason
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.inputs.growing import Follower, Place, Portion, place_after
from tocsin.sources.inputs.portions import Portions
from tocsin.sources.inputs.settings import form_of
from tocsin.sources.read import open_source_input
from tocsin.sources.source import Clock

EVERY_S = 1.0
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


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
                if portion.lost is not None:
                    yield self._said_of_lost(portion.lost, portion.place)
                batches = self._of(portion)
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    yield batch
        finally:
            follower.close()

    def _said_of_lost(self, lost: Place, place: Place) -> Batch:
        detail = (
            f"the file that was read up to line {lost.line:,} is not beside {self._path} any more, or was truncated: "
            "what was written to it after that is not read"
        )
        told = [Skipped(SkipReason.CUT_OFF, lost.line, detail, "")]
        return Batch(source=self.name, claims=[], skipped=told, position=msgspec.json.encode(place))

    def _of(self, portion: Portion) -> Iterator[Batch]:
        place, content, start = portion.place, portion.content, portion.start.removeprefix(BOM_UTF8)
        if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            hint = "let it be written in UTF-8, or read it whole with follow = false"
            raise SourceError(f"{self._path} is in UTF-16, which is not followed", hint=hint)
        form = self._portions.known_by(start, str(self._path))
        header = form.header(start) if place.at else b""
        mark = 0 if place.at else len(portion.start) - len(start)

        def position(read: int) -> bytes:
            return msgspec.json.encode(place_after(portion, read + mark if read else 0))

        return self._portions.batches(content[mark:], position, header=header, line=place.line)


def _place(position: bytes) -> Place | None:
    try:
        return msgspec.json.decode(position, type=Place) if position else None
    except msgspec.MsgspecError:
        return None  # of another kind of input under the same name: begin at the start
