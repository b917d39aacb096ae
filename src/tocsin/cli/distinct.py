"""Counts how many texts are different, exactly, in memory that does not grow with them."""

from collections.abc import Iterable
from os import SEEK_END
from tempfile import TemporaryFile
from typing import BinaryIO, Self

from tocsin.errors import TocsinError

IN_MEMORY = 131_072
"""So many different ones are kept; then they are written to a temporary file."""
PARTS = 256
"""All that are equal are in one part of the file, and one part at a time is looked at."""


class Distinct:
    """
    Of texts without line ends, such as addresses:

        with Distinct() as addresses:
            addresses.add(["203.0.113.9", "203.0.113.9"])
            addresses.count()  # 1
    """

    def __init__(self, *, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._seen = set[str]()
        self._file: BinaryIO | None = None
        self._spans: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        """Of each part, where pieces of it are in the file, and how long they are."""

    def add(self, texts: Iterable[str]) -> None:
        """Some more of them."""
        self._seen.update(texts)
        if len(self._seen) >= self._in_memory:
            self._spill()

    def count(self) -> int:
        """How many different ones there were so far."""
        if self._file is None:
            return len(self._seen)
        self._spill()
        return sum(self._count_of(self._file, spans) for spans in self._spans)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        try:
            self._write()
        except OSError as error:
            text = f"what was read cannot be counted: {error.strerror}"
            raise TocsinError(text, hint="make room where temporary files are kept") from None

    def _write(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="tocsin-")  # noqa: SIM115 - closed in __exit__
        parts: list[list[str]] = [[] for _ in range(PARTS)]
        for text in self._seen:
            parts[hash(text) % PARTS].append(text)
        self._seen.clear()
        at = self._file.seek(0, SEEK_END)
        for spans, part in zip(self._spans, parts, strict=True):
            if part:
                size = self._file.write("\n".join(part).encode())
                spans.append((at, size))
                at += size
        self._file.flush()

    @staticmethod
    def _count_of(file: BinaryIO, spans: Iterable[tuple[int, int]]) -> int:
        found = set[bytes]()
        for at, size in spans:
            file.seek(at)
            found.update(file.read(size).split(b"\n"))
        return len(found)
