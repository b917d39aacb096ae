"""Zeek's own logs: tab-separated, with a header that says how to read them.

Source: docs.zeek.org, "Zeek Log Formats": `#separator`, `#set_separator`, `#empty_field`, `#unset_field`, `#fields` and
`#types`; bytes that could be mistaken are written `\\x2c`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.framing.lines import lines
from tocsin.sources.reading import Block, skipped

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(\\))")
_MANY = re.compile(r"(?:set|vector)\[")


class _Header:
    """What the lines with `#` have said so far; a log that was appended to has several headers."""

    def __init__(self) -> None:
        self.separator, self.set_separator, self.empty, self.unset = "\t", ",", "(empty)", "-"
        self.columns: list[tuple[str, Callable[[str], Any]]] = []
        self._names: list[str] = []

    def take(self, text: str) -> None:
        """Read one line of it."""
        if text.startswith("#separator "):
            self.separator = _unescaped(text.removeprefix("#separator ").strip()) or "\t"
            return
        key, _, value = text.partition(self.separator)
        match key:
            case "#set_separator":
                self.set_separator = value or ","
            case "#empty_field":
                self.empty = value
            case "#unset_field":
                self.unset = value
            case "#fields":
                self._names = value.split(self.separator)
                self.columns = [(name, _unescaped) for name in self._names]
            case "#types":
                many = [_MANY.match(kind) is not None for kind in value.split(self.separator)]
                self.columns = [
                    (name, self._many if is_many else _unescaped)
                    for name, is_many in zip(self._names, many, strict=False)
                ]

    def _many(self, text: str) -> list[str]:
        return [] if text == self.empty else [_unescaped(one) for one in text.split(self.set_separator)]

    def record(self, text: str) -> dict[str, Any] | None:
        """One line as a dict by the dotted names of its columns, without those that are unset."""
        cells = text.split(self.separator)
        if len(cells) != len(self.columns) or not self.columns:
            return None
        unset, empty = self.unset, self.empty
        return {
            name: "" if cell == empty and parse is _unescaped else parse(cell)
            for (name, parse), cell in zip(self.columns, cells, strict=True)
            if cell != unset
        }


def zeek_rows(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Each line as a dict by its columns: texts, or lists of them for sets and vectors."""
    header = _Header()
    for block in lines(chunks):
        numbers, records, broken = list[int](), list[Any](), list[Skipped]()
        for number, text in zip(block.numbers, block.records, strict=True):
            if text.startswith("#"):
                header.take(text)
            elif text:
                record = header.record(text)
                if record is None:
                    detail = "has not the columns that its #fields line names"
                    broken.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
                else:
                    numbers.append(number)
                    records.append(record)
        yield Block(numbers, records, block.end, [*block.broken, *broken])


def zeek_header(head: bytes) -> bytes:
    """The lines with `#` at the beginning of a log."""
    taken = []
    for line in head.splitlines(keepends=True):
        if not line.startswith(b"#") or not line.endswith(b"\n"):
            break
        taken.append(line)
    return b"".join(taken)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text) if "\\" in text else text
