"""Standard input or a named pipe, for as long as someone writes into it. What was written and not kept is gone."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.portions import Portions
from tocsin.sources.opening import CHUNK_BYTES, STDIN, display_name
from tocsin.sources.source import Clock

_MOST_BYTES = 16 * 1024 * 1024  # of one line, which is then too long for any format


def is_pipe(path: str) -> bool:
    """Whether `path` is standard input, or a named pipe."""
    try:
        return path == STDIN or stat.S_ISFIFO(Path(path).stat().st_mode)
    except OSError:
        return False


class PipeSource:
    """Reads one pipe. There is no position: nobody can go back in a pipe."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._path = str(config.path)
        self._portions = Portions(name, config, clock)

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`; it ends when the last writer closes standard input."""
        rest = b""
        file = await asyncio.to_thread(self._open)
        try:
            while piece := await asyncio.to_thread(os.read, file, CHUNK_BYTES):
                lines, newline, rest = (rest + piece).rpartition(b"\n")
                if len(rest) > _MOST_BYTES:
                    lines, newline, rest = lines + newline + rest, b"", b""
                for batch in self._of(lines + newline, position):
                    yield batch
            for batch in self._of(rest, position):
                yield batch
        finally:
            if self._path != STDIN:
                os.close(file)
        raise SourceError(f"{display_name(self._path)} has come to its end", hint="nothing writes into it any more")

    def _of(self, portion: bytes, position: bytes) -> list[Batch]:
        if not portion:
            return []
        self._portions.known_by(portion, display_name(self._path))
        return list(self._portions.batches(portion, lambda _read: position))

    def _open(self) -> int:
        try:
            return sys.stdin.fileno() if self._path == STDIN else os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error.strerror}", hint="check the path") from None
