"""The kinds of input, and which one a table of the configuration describes."""

from pathlib import Path

from tocsin.sources.config import SourceConfig
from tocsin.sources.inputs.crowdsec import CrowdsecSource
from tocsin.sources.inputs.feed import FeedSource
from tocsin.sources.inputs.file import FileSource
from tocsin.sources.inputs.follow import FollowSource, is_followed
from tocsin.sources.inputs.kafka import KafkaSource
from tocsin.sources.inputs.nats import NatsSource
from tocsin.sources.inputs.pipe import PipeSource, is_pipe
from tocsin.sources.inputs.push import PushSource
from tocsin.sources.inputs.taxii import TaxiiSource
from tocsin.sources.source import Clock, Source, utc_now


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


def _of_path(name: str, config: SourceConfig, path: str, clock: Clock) -> Source:
    if is_pipe(path):
        return PipeSource(name, config, clock=clock)
    if is_followed(Path(path), config):
        return FollowSource(name, config, clock=clock)
    return FileSource(name, config, clock=clock)
