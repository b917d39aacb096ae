"""Readers for what detectors really write: each line becomes a signal, or a reason why not."""

from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.formats import FORMATS, Format, format_named
from tocsin.sources.inputs import open_source
from tocsin.sources.read import read_source
from tocsin.sources.reading import Reading
from tocsin.sources.shipped import shipped_list
from tocsin.sources.source import Source
from tocsin.sources.text import STDIN, display_name

__all__ = [
    "FORMATS",
    "STDIN",
    "Format",
    "Reading",
    "Source",
    "SourceConfig",
    "SourceError",
    "display_name",
    "format_named",
    "open_source",
    "read_source",
    "shipped_list",
]
