"""A file that is read whole, and again when it has changed or time has passed: a list that a job fetches, an export."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import MsgspecError, Struct, json, structs

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.again import fingerprint, is_due
from tocsin.sources.inputs.settings import form_of, reading_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.source import Clock

EVERY_S = 60.0


class State(Struct, frozen=True):
    """Which state of the file was read to its end; the position, as JSON."""

    mtime_ns: int
    size: int
    ino: int
    settings: str
    """With which it was read (`fingerprint`)."""
    read_at: float = 0.0
    """Epoch seconds."""

    def is_of(self, found: "State") -> bool:
        """Whether the file and the settings are those that were read."""
        return structs.replace(found, read_at=self.read_at) == self


class FileSource:
    """Reads one file."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._path = str(config.path)
        # What is wrong with the table is said before anything is read.
        form_of(config)
        reading_of(name, config, now=clock())

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            state, now = await asyncio.to_thread(self._state), self._clock()
            known = _known(position)
            if known is None or not known.is_of(state) or is_due(known.read_at, now):
                form = await asyncio.to_thread(form_of, self._config)  # a mapping file may have changed
                reading = reading_of(self.name, self._config, now=now)
                after = json.encode(structs.replace(state, read_at=now.timestamp()))

                # A list that a job is writing has its end elsewhere; the next look finds it changed.
                def unchanged(read: State = state) -> bool:
                    return read.is_of(self._state())

                batches = whole(self._path, form, reading, before=position, after=after, unchanged=unchanged)
                async for batch in batches:
                    yield batch
                position = after
            await asyncio.sleep(self._config.every_s or EVERY_S)

    def _state(self) -> State:
        try:
            stat = Path(self._path).stat()
        except OSError as error:
            raise SourceError(
                f"{self._path} cannot be read: {error.strerror}", hint="nothing is lost; check the path"
            ) from None
        return State(stat.st_mtime_ns, stat.st_size, stat.st_ino, fingerprint(self._config))


def _known(position: bytes) -> State | None:
    try:
        return json.decode(position, type=State) if position else None
    except MsgspecError:
        return None  # of another kind of input under the same name
