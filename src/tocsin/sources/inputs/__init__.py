"""The kinds of input, and which one a table of the configuration describes."""

from tocsin.sources.config import SourceConfig
from tocsin.sources.inputs.file import FileSource
from tocsin.sources.source import Clock, Source, utc_now


def open_source(name: str, config: SourceConfig, *, clock: Clock = utc_now) -> Source:
    """
    The source that a `[sources.NAME]` table describes. Nothing is read yet.

    Raises: SourceError, when the table names something that does not exist, such as a format.
    """
    return FileSource(name, config, clock=clock)
