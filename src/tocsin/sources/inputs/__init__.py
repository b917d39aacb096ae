"""The kinds of input, and which one a table of the configuration describes."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.crowdsec import CrowdsecSource
from tocsin.sources.inputs.feed import FeedSource
from tocsin.sources.inputs.file import FileSource
from tocsin.sources.inputs.follow import FollowSource, is_followed
from tocsin.sources.inputs.kafka import KafkaSource
from tocsin.sources.inputs.nats import NatsSource
from tocsin.sources.inputs.pipe import PipeSource, is_pipe
from tocsin.sources.inputs.push import PushSource
from tocsin.sources.inputs.taxii import TaxiiSource
from tocsin.sources.opening import STDIN
from tocsin.sources.source import Clock, Source
from tocsin.wall_clock import utc_now


def open_source(name: str, config: SourceConfig, *, clock: Clock = utc_now) -> Source:
    """
    The source that a `[sources.NAME]` table describes. Nothing is read yet, except to see what a file is.

    Raises: SourceError, when the table names something that does not exist, such as a format.
    """
    if config.path is not None:
        return _of_path(name, config, config.path, clock)
    if config.url is not None:
        return FeedSource(name, config, clock=clock)
    if config.crowdsec is not None:
        return CrowdsecSource(name, config, clock=clock)
    if config.taxii is not None:
        return TaxiiSource(name, config, clock=clock)
    if config.listen is not None:
        return PushSource(name, config, clock=clock)
    if config.nats is not None:
        return NatsSource(name, config, clock=clock)
    return KafkaSource(name, config, clock=clock)


class _LaterSource:
    """A file that is not there yet, or empty still, so that nobody knows whether it is a list or a log."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        self.name = name
        self._config, self._clock = config, clock
        FileSource(name, config, clock=clock)  # what is wrong with the table is said now

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        path = str(self._config.path)
        if not await asyncio.to_thread(os.path.exists, path):
            raise SourceError(f"{path} cannot be read: it does not exist", hint="nothing is lost; check the path")
        source = await asyncio.to_thread(_of_path, self.name, self._config, path, self._clock)
        if isinstance(source, _LaterSource):
            hint = "it is looked at again; for a list that may be empty name its format, for a log also follow = true"
            raise SourceError(f"{path} is empty, so what it is cannot be told yet", hint=hint)
        async for batch in source.batches(position):
            yield batch


def _of_path(name: str, config: SourceConfig, path: str, clock: Clock) -> Source:
    if path != STDIN and not Path(path).exists():
        return _LaterSource(name, config, clock=clock)
    if is_pipe(path):
        return PipeSource(name, config, clock=clock)
    by_content = config.follow is None and config.format is None and config.mapping is None
    if by_content and Path(path).stat().st_size == 0:
        return _LaterSource(name, config, clock=clock)
    if is_followed(Path(path), config):
        return FollowSource(name, config, clock=clock)
    return FileSource(name, config, clock=clock)
