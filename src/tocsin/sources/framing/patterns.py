"""Fields of lines, by the named groups of a regular expression."""

import re
from collections.abc import Callable, Iterable, Iterator

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.errors import SourceError
from tocsin.sources.reading import Block, skipped

Search = Callable[[str], re.Match[str] | None]
MAX_MATCHED_CHARS = 16 * 1024
"""A pattern of a user may take quadratic time: no longer line is given to it."""


def compile_pattern(pattern: str) -> Search:
    """Raises: SourceError, when it is no regular expression."""
    try:
        return re.compile(pattern).search
    except re.error as error:
        hint = "named groups are written (?P<name>...)"
        raise SourceError(f"the pattern {pattern!r} is no regular expression: {error}", hint=hint) from None


def matched(blocks: Iterable[Block], search: Search) -> Iterator[Block]:
    """Each line as a dict of the groups that `search` finds in it, anywhere."""
    for block in blocks:
        numbers, records, broken = list[int](), list[dict[str, str | None]](), list[Skipped]()
        for number, text in zip(block.numbers, block.records, strict=True):
            found = search(text) if len(text) <= MAX_MATCHED_CHARS else None
            if found:
                numbers.append(number)
                records.append(found.groupdict())
            elif text.strip():
                broken.append(skipped(number, text, SkipReason.NOT_A_RECORD, "does not match the pattern"))
        yield Block(numbers, records, block.end, [*block.broken, *broken])
