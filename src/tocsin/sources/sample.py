"""The beginning of an input, for a look at what it is."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tocsin.sources.framing.journal import journal_or_lines
from tocsin.sources.framing.json_values import closed, is_carried, json_values
from tocsin.sources.framing.rows import rows

_MOST = 100
SQLITE_MAGIC = b"SQLite format 3\x00"
PARQUET_MAGIC = b"PAR1"
BINARY = {SQLITE_MAGIC: "an SQLite database", PARQUET_MAGIC: "Parquet"}
"""What is no text, by what it begins with."""


class Sample:
    """Seen once by every format; what one of them cuts or decodes is there for the next."""

    def __init__(self, head: bytes, *, name: str = "", whole: bool = True) -> None:
        """
        Args:
            head: its first bytes, decompressed.
            name: of the file, only to choose between formats that look alike.
            whole: whether `head` is all there is.
        """
        self.head = head
        self.name = name
        self._whole = whole

    @cached_property
    def is_binary(self) -> bool:
        """Whether it is no text."""
        return self.head.startswith(tuple(BINARY))

    @cached_property
    def lines(self) -> list[str]:
        """The first lines, whole ones only; of a journal those that its entries stand for."""
        if self.is_binary:
            return []
        head = self.head if self._whole else self.head.rpartition(b"\n")[0] or self.head
        return [text for block in journal_or_lines([head]) for text in block.records][:_MOST]

    @cached_property
    def values(self) -> list[Any]:
        """The first JSON values; of a document that is larger than the sample, what can be told of it."""
        start = self.head.lstrip()
        if not start.startswith((b"{", b"[")) and not is_carried(start):
            return []
        head = self.head
        found = [value for block in json_values([head]) for value in block.records][:_MOST]
        if not found and not self._whole:
            found = [value for block in json_values([closed(head)]) for value in block.records][:_MOST]
        return found

    def rows(self, delimiter: str = ",", columns: Sequence[str] = ()) -> list[dict[str, str]]:
        """The first rows, by the names of `columns` or of a header."""
        text = "\n".join(self.lines).encode()
        return [row for block in rows([text], delimiter=delimiter, columns=columns) for row in block.records]

    @property
    def is_zeek(self) -> bool:
        """Whether it is one of Zeek's own logs, by their first line: a quiet hour leaves one without records."""
        return self.head.lstrip().startswith(b"#separator")
