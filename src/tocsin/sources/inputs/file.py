"""A file that is read whole, and again whenever it has changed: a list that a job fetches, an export."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.settings import form_of, reading_of
from tocsin.sources.read import Piece, open_source_input
from tocsin.sources.source import Clock


class FileSource:
    """The position is which state of the file was read to its end: modification time, size and inode."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._form = form_of(config)
        reading_of(name, config, now=clock())  # what is wrong with the table is said before anything is read

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
        """One reading. The position moves with its last batch: a crash in the middle reads the file from its start."""
        reading = reading_of(self.name, self._config, now=self._clock())
        with ExitStack() as stack:
            source = await asyncio.to_thread(stack.enter_context, open_source_input(self._config.path, self._form))
            pieces = source.pieces(reading)
            part = await asyncio.to_thread(next, pieces)
            while (following := await asyncio.to_thread(next, pieces, None)) is not None:
                yield self._batch(part, before)
                part = following
            # A list that breaks off lets nothing go: what is missing may be in the missing part.
            ends_list = source.form.full_list and source.opened.cut_off is None
            yield self._batch(part, state, ends_list=ends_list)

    def _batch(self, part: Piece, position: bytes, *, ends_list: bool = False) -> Batch:
        return Batch(source=self.name, claims=part.claims, skipped=part.skipped, position=position, ends_list=ends_list)

    def _state(self) -> bytes:
        try:
            stat = Path(self._config.path).stat()
        except OSError as error:
            raise SourceError(
                f"{self._config.path} cannot be read: {error.strerror}", hint="nothing is lost; check the path"
            ) from None
        return f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}".encode()
