"""Readers for what detectors really write: each record becomes a signal, or a reason why not.

    input ──▶ framing ──▶ reader ──▶ vetting ──▶ Signal | Retraction | Skipped
    bytes     records     claims     which address, and whether

An input (`opening`, `inputs`) gives bytes, wherever they come from. A `Format` says how an input of it is known, cut
into records (`framing`) and read: by code (`readers`), or by a mapping file (`profiles`, `mapping`). What a reader
claims becomes a signal in one place (`vetting`). A new format is a module in `readers` with `FORMATS`, or a file in
`profiles`; a new kind of input is a module in `inputs`.
"""

from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.explaining import Explanation, PathsFound, explanations, paths_found
from tocsin.sources.format import Format
from tocsin.sources.formats import format_named, formats
from tocsin.sources.guard import Guard, guard_of
from tocsin.sources.inputs import open_source
from tocsin.sources.inputs.again import fingerprint
from tocsin.sources.inputs.settings import mapping_format, time_zone
from tocsin.sources.opening import STDIN, display_name
from tocsin.sources.read import Input, Piece, open_source_input, read_source
from tocsin.sources.reading import Reading
from tocsin.sources.shipped import shipped_list
from tocsin.sources.source import Source
from tocsin.sources.vetting import never_signalled

__all__ = [
    "STDIN",
    "Explanation",
    "Format",
    "Guard",
    "Input",
    "PathsFound",
    "Piece",
    "Reading",
    "Source",
    "SourceConfig",
    "SourceError",
    "display_name",
    "explanations",
    "fingerprint",
    "format_named",
    "formats",
    "guard_of",
    "mapping_format",
    "never_signalled",
    "open_source",
    "open_source_input",
    "paths_found",
    "read_source",
    "shipped_list",
    "time_zone",
]
