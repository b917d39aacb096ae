"""JSON values, one at a time: a line each, the elements of an array, or whole documents one after another.

A value is cut out by its brackets and then decoded by msgspec, so that a file of any size is read with the memory of
its largest record. The common cases need no search: lines are decoded many at once, and of an array everything up to
the last `}, {` of a chunk, which is a cut between elements if and only if what stands before it decodes. A document
that is large, such as an answer with a long list in it, is handed over in parts, where the caller names the list: each
has the members that stand before the list, and some of its elements.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.framing.carriers import BY_ANY
from tocsin.sources.framing.lines import line_chunks
from tocsin.sources.reading import Block, excerpt

MAX_VALUE_BYTES = 64 * 1024 * 1024
"""The largest value that is decoded; an array of any length is read element by element."""
PART_BYTES = 1024 * 1024
"""A document larger than this is handed over in parts."""
_DECODE = msgspec.json.Decoder().decode
_DECODE_LINES = msgspec.json.Decoder().decode_lines
_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_BLANK = b" \t\r\n"
# Up to the next bracket that stands in no string. Possessive, so that hostile input costs linear time.
_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
_SCALAR = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s,\[\]{}"]+', re.DOTALL)
# The object is all that was said: one that stands within what a program says may be an attacker's word.
_BEFORE = re.compile(rb"^" + BY_ANY.encode() + rb"(?:@cee: ?)?(?=\{)", re.MULTILINE)
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{)")
_CUTS_TRIED = 8
_LOOKED_AT = 20
_BUFFER_BYTES = 128 * 1024


def json_values(chunks: Iterable[bytes], *, parts: Collection[str] = ()) -> Iterator[Block]:
    """
    The values of an input, whichever way it strings them together; the number of one on a line is its line's.

    Args:
        parts: names of members whose arrays may be handed over in parts, where a document is a large one.
    """
    start, chunks = _begun(chunks)
    if start.startswith(b"[") or (start.startswith(b"{") and not _is_lines(start)):
        return _Values(chunks, parts).blocks()
    return _json_lines(chunks)


def is_carried(start: bytes) -> bool:
    """
    Whether objects stand in lines behind what has carried them, such as `Jan  5 10:00:00 fw suricata[1]: `.

    In half of the first lines at least: one of them makes no other log of what sshd says around it.
    """
    if start.startswith((b"{", b"[")):
        return False
    lines = start[:_BUFFER_BYTES].split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    lines = [line for line in lines if line.strip(_BLANK)]
    carried = sum((before := _BEFORE.match(line)) is not None and _decodes(line[before.end() :]) for line in lines)
    return 2 * carried >= max(1, len(lines))


def _is_lines(start: bytes) -> bool:
    """Whether each line is a value: the first is, or is a broken one and no part of a document."""
    first, _, rest = start.partition(b"\n")
    if _decodes(first):
        return True
    return not first.rstrip(_BLANK).endswith((b"{", b"[", b",")) and _decodes(rest.partition(b"\n")[0])


def json_or(
    chunks: Iterable[bytes], *, parts: Collection[str], otherwise: Callable[[Iterable[bytes]], Iterator[Block]]
) -> Iterator[Block]:
    """JSON values, or what `otherwise` makes of an input that begins like none."""
    start, chunks = _begun(chunks)
    is_json = start.startswith((b"{", b"[")) or _BEFORE.search(start[:_BUFFER_BYTES]) is not None
    return json_values(chunks, parts=parts) if is_json else otherwise(chunks)


def _begun(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The beginning of an input after its blanks, and all its chunks still."""
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if head.strip(_BLANK):
            break
    return head.lstrip(_BLANK), chain([head], stream)


def _decodes(text: bytes) -> bool:
    try:
        _DECODE(text)
    except _ERRORS:
        return False
    return True


def _json_lines(chunks: Iterable[bytes]) -> Iterator[Block]:
    for first, content, end, broken in line_chunks(chunks):
        count = content.count(b"\n") + (not content.endswith(b"\n"))
        values = _decoded(content)
        # Asked of all lines, and not of the first: a log that is followed is read from anywhere.
        if len(values) != count and (bare := _BEFORE.sub(b"", content)) != content:
            content, values = bare, _decoded(bare)
        if len(values) == count:
            yield Block(range(first, first + count), values, end, broken)
        else:
            yield _line_by_line(first, content, end, broken)


def _decoded(content: bytes) -> list[Any]:
    """The values of some lines; none where one of them is broken."""
    try:
        return _DECODE_LINES(content)
    except _ERRORS:
        return []


def _line_by_line(first: int, content: bytes, end: int, broken: list[Skipped]) -> Block:
    numbers, values = list[int](), list[Any]()
    for number, line in enumerate(content.split(b"\n"), first):
        if not line.strip(_BLANK):
            continue
        try:
            values.append(_DECODE(line))
            numbers.append(number)
        except _ERRORS as error:
            broken.append(_broken(number, line, f"is no JSON value: {_why(error)}"))
    return Block(numbers, values, end, broken)


class _Values:
    """Arrays and documents, told apart by their brackets."""

    def __init__(self, chunks: Iterator[bytes], parts: Collection[str]) -> None:
        self._chunks, self._parts = chunks, parts
        self._buffer = b""
        self._ended = False
        self._offset = 0  # of the buffer, in the input
        self._number = 0  # of the last value
        self._in_array = False
        self._members: dict[str, Any] | None = None  # of a document that is handed over in parts
        self._name = ""  # of its array

    def blocks(self) -> Iterator[Block]:
        while self._fill(_BUFFER_BYTES):
            yield self._block()

    def _fill(self, at_least: int = 1) -> bool:
        """Whether the buffer holds something, if need be after reading on until it holds `at_least` bytes."""
        while len(self._buffer) < at_least and not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            else:
                self._buffer += chunk
        return bool(self._buffer)

    def _block(self) -> Block:
        broken = list[Skipped]()
        values = self._many() or self._one(broken)
        if values and self._in_array and self._members is not None:
            values = [{**self._members, self._name: values}]
        first = self._number + 1
        self._number += len(values)
        return Block(range(first, first + len(values)), values, self._offset, broken)

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        self._offset += size
        return taken

    def _many(self) -> list[Any]:
        """All elements up to a cut between two of them near the end of the buffer; none when no such cut is found."""
        if not self._in_array:
            return []
        self._take(len(self._buffer) - len(self._buffer.lstrip(_BLANK + b",")))
        at = len(self._buffer)
        for _ in range(_CUTS_TRIED):
            at = self._buffer.rfind(b"}", 0, at)
            if at <= 0:
                return []
            if cut := _BETWEEN.match(self._buffer, at):
                try:
                    values = _DECODE(b"[" + self._buffer[: at + 1] + b"]")
                except _ERRORS:
                    continue
                self._take(cut.end())
                return list(values)
        return []

    def _one(self, broken: list[Skipped]) -> list[Any]:
        """The next value on its own."""
        self._take(len(self._buffer) - len(self._buffer.lstrip(_BLANK + b",")))
        if not self._buffer:
            return []
        if self._buffer.startswith(b"[") and not self._in_array:
            self._in_array = True
            self._take(1)
            return []
        if self._buffer.startswith((b"]", b"}")):
            self._members = self._members if self._in_array else None
            self._in_array = False
            self._take(1)
            return []
        if self._members is not None and not self._in_array:
            return self._rest_of_document(broken)
        return self._value(broken)

    def _value(self, broken: list[Skipped]) -> list[Any]:
        size = self._size_of_one(PART_BYTES)
        if size is None and not self._in_array and self._enter_document():
            return []
        size = size or self._size_of_one(MAX_VALUE_BYTES)
        if size is None:
            self._give_up(broken)
            return []
        text = self._take(size)
        try:
            return [_DECODE(text)]
        except _ERRORS as error:
            self._number += 1
            broken.append(_broken(self._number, text, f"is no JSON value: {_why(error)}"))
            return []

    def _enter_document(self) -> bool:
        """Go into the first array of objects in the document that the buffer begins with that is one of `parts`."""
        at, depth = 0, 0
        while step := _BRACKET.match(self._buffer, at):
            at = step.end()
            if depth == 1 and step[1] == b"[" and self._buffer[at : at + 100].lstrip(_BLANK).startswith(b"{"):
                try:
                    members = _DECODE(self._buffer[: at - 1] + b"null}")
                except _ERRORS:
                    return False
                name = list(members)[-1]
                if name in self._parts:
                    self._members, self._name = (self._members or {}) | members, name
                    self._in_array = True
                    self._take(at)
                    return True
            depth += 1 if step[1] in b"{[" else -1
        return False

    def _rest_of_document(self, broken: list[Skipped]) -> list[Any]:
        """The members that stand behind the array, as a document that has had its elements."""
        members, name = self._members or {}, self._name
        self._members = members | {name: []}
        self._buffer = b"{" + self._buffer
        self._offset -= 1
        rest = self._value(broken)
        if self._in_array:  # of another array among them
            return []
        self._members = None
        return [members | {name: []} | one for one in rest if isinstance(one, dict)]

    def _size_of_one(self, most: int) -> int | None:
        """The bytes of the value that the buffer begins with, reading on up to `most`; None when it has no end."""
        at, depth = 0, 0
        if not self._buffer.startswith((b"{", b"[")):
            scalar = _SCALAR.match(self._buffer)
            return scalar.end() if scalar else 1
        while True:
            while step := _BRACKET.match(self._buffer, at):
                at = step.end()
                depth += 1 if step[1] in b"{[" else -1
                if depth == 0:
                    return at
            # Doubled each time: a long string is not searched again for every chunk.
            if self._ended or len(self._buffer) > most:
                return None
            self._fill(2 * len(self._buffer))

    def _give_up(self, broken: list[Skipped]) -> None:
        """What the buffer begins with has no end: the rest of the input cannot be told apart any more."""
        self._number += 1
        too_long = not self._ended
        detail = f"is larger than {MAX_VALUE_BYTES:,} bytes" if too_long else "breaks off before its last bracket"
        reason = SkipReason.TOO_LONG if too_long else SkipReason.CUT_OFF
        broken.append(_broken(self._number, self._buffer[:256], detail, reason))
        while self._buffer:
            self._take(len(self._buffer))
            self._fill()


def _broken(number: int, text: bytes, detail: str, reason: SkipReason = SkipReason.NOT_A_RECORD) -> Skipped:
    return Skipped(reason, number, detail, excerpt(text[:256].decode(errors="replace").strip()))


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def closed(start: bytes) -> bytes:
    """The start of a document, cut after its last closing bracket, with the brackets closed that are open there."""
    stack, at, cut, still_open = bytearray(), 0, 0, b""
    while step := _BRACKET.match(start, at):
        at = step.end()
        if step[1] in b"{[":
            stack += b"}" if step[1] == b"{" else b"]"
        else:
            del stack[-1:]
            cut, still_open = at, bytes(reversed(stack))
    return start[:cut] + still_open
