"""A file that is read whole, and again whenever it has changed: a list that a job fetches, an export."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

from tocsin.signals import Batch, Retraction, Signal, Skipped
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.formats import format_named
from tocsin.sources.read import read_source
from tocsin.sources.reading import Reading
from tocsin.sources.source import Clock

_BATCH = 4096


class FileSource:
    """The position is which state of the file was read to its end: modification time, size and inode."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        self.name = name
        self._config, self._clock = config, clock
        self._form = format_named(config.format) if config.format else None

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            state = await asyncio.to_thread(self._state)
            if state != position:
                async for batch in self._whole(position, state):
                    yield batch
                position = state
            await asyncio.sleep(self._config.every_s)

    async def _whole(self, before: bytes, state: bytes) -> AsyncIterator[Batch]:
        config = self._config
        reading = Reading(now=self._clock(), source=self.name, allow_non_global=config.allow_non_global)
        found = read_source(config.path, reading, form=self._form)
        batch = await asyncio.to_thread(_taken, found)
        while following := await asyncio.to_thread(_taken, found):
            yield self._batch(batch, before, ends_list=False)
            batch = following
        yield self._batch(batch, state, ends_list=True)

    def _batch(self, found: list[Signal | Skipped], position: bytes, *, ends_list: bool) -> Batch:
        claims: list[Signal | Retraction] = [one for one in found if isinstance(one, Signal)]
        skipped = [one for one in found if isinstance(one, Skipped)]
        return Batch(source=self.name, claims=claims, skipped=skipped, position=position, ends_list=ends_list)

    def _state(self) -> bytes:
        try:
            stat = Path(self._config.path).stat()
        except OSError as error:
            raise SourceError(
                f"{self._config.path} cannot be read: {error.strerror}", hint="nothing is lost; check the path"
            ) from None
        return f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}".encode()


def _taken(found: Iterator[Signal | Skipped]) -> list[Signal | Skipped]:
    return list(islice(found, _BATCH))
