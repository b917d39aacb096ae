"""Readers for what detectors really write: each record becomes a signal, or a reason why not."""

from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.formats import format_named, formats
from tocsin.sources.guard import Guard, guard_of
from tocsin.sources.inputs import open_source
from tocsin.sources.opening import STDIN, display_name
from tocsin.sources.read import Input, Piece, open_source_input, read_source
from tocsin.sources.reading import Reading
from tocsin.sources.shipped import shipped_list
from tocsin.sources.source import Source

__all__ = [
    "STDIN",
    "Format",
    "Guard",
    "Input",
    "Piece",
    "Reading",
    "Source",
    "SourceConfig",
    "SourceError",
    "display_name",
    "format_named",
    "formats",
    "guard_of",
    "open_source",
    "open_source_input",
    "read_source",
    "shipped_list",
]
