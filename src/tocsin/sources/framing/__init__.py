"""From bytes to records: lines, JSON values, rows. Each keeps at most one block and one record in memory."""

from collections.abc import Callable, Iterable, Iterator

from tocsin.sources.framing.json_values import json_or, json_values
from tocsin.sources.framing.lines import lines
from tocsin.sources.framing.rows import rows
from tocsin.sources.reading import Block

Framing = Callable[[Iterable[bytes]], Iterator[Block]]
"""Cuts the chunks of an input into blocks of records."""

__all__ = ["Framing", "json_or", "json_values", "lines", "rows"]
