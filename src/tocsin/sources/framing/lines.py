"""Lines of text."""

from collections.abc import Iterable, Iterator

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.reading import Block, excerpt

MAX_LINE_BYTES = 1024 * 1024
"""Far beyond any record of a log; what is longer is counted and passed over, so that it cannot fill memory."""


def lines(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Lines without their end, `\\n` or `\\r\\n`; what is not UTF-8 shows as U+FFFD, for the reader to refuse."""
    for first, content, end, broken in line_chunks(chunks):
        texts = content.decode(errors="replace").split("\n")
        if not texts[-1]:
            del texts[-1]
        if b"\r" in content:
            texts = [text.removesuffix("\r") for text in texts]
        yield Block(range(first, first + len(texts)), texts, end, broken)


def line_chunks(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes, int, list[Skipped]]]:
    """Whole lines in pieces as large as the chunks: number of the first line, the lines, where they end, what broke."""
    number, offset, rest, passing = 1, 0, b"", False
    for chunk in chunks:
        broken = list[Skipped]()
        if passing:  # within a line that is too long
            before, newline, chunk = chunk.partition(b"\n")
            offset += len(before) + len(newline)
            if not newline:
                continue
            passing, number = False, number + 1
        whole, newline, after = (rest + chunk).rpartition(b"\n")
        if len(after) > MAX_LINE_BYTES:
            broken.append(_too_long(number + whole.count(b"\n") + len(newline), after))
            passing = True
        content, rest = whole + newline, b"" if passing else after
        if content or broken:
            offset += len(content)
            yield number, content, offset, broken
            number += content.count(b"\n")
        if passing:
            offset += len(after)
    if rest:
        yield number, rest, offset + len(rest), []


def _too_long(number: int, line: bytes) -> Skipped:
    detail = f"is longer than {MAX_LINE_BYTES:,} bytes"
    return Skipped(SkipReason.TOO_LONG, number, detail, excerpt(line[:256].decode(errors="replace")))
