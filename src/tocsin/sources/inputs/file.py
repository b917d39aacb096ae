"""A file that is read whole, and again whenever it has changed: a list that a job fetches, an export."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.settings import form_of, reading_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.source import Clock

EVERY_S = 60.0


class FileSource:
    """The position is which state of the file was read to its end: modification time, size and inode."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._path = str(config.path)
        self._form = form_of(config)
        reading_of(name, config, now=clock())  # what is wrong with the table is said before anything is read

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            state = await asyncio.to_thread(self._state)
            if state != position:
                reading = reading_of(self.name, self._config, now=self._clock())
                async for batch in whole(self._path, self._form, reading, before=position, after=state):
                    yield batch
                position = state
            await asyncio.sleep(self._config.every_s or EVERY_S)

    def _state(self) -> bytes:
        try:
            stat = Path(self._path).stat()
        except OSError as error:
            raise SourceError(
                f"{self._path} cannot be read: {error.strerror}", hint="nothing is lost; check the path"
            ) from None
        return f"{stat.st_mtime_ns} {stat.st_size} {stat.st_ino}".encode()
