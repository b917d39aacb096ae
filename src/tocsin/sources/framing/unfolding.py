"""From documents to the records in them: an answer of an API holds many, a threat report holds attributes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tocsin.sources.reading import Block

Pick = Callable[[Any], Any]
PARENT, WITHIN = "parent", "within"


def unfolded(blocks: Iterable[Block], outer: Sequence[Pick], inner: Mapping[str, Pick]) -> Iterator[Block]:
    """
    The records in each value.

    Args:
        outer: where they may stand; the first that finds something counts, else the value is the record itself.
        inner: parts of those that are the records instead. Each is told its `parent`, and the name of the part as
            `within`.
    """
    count = 0
    for block in blocks:
        numbers, records = list[int](), list[Any]()
        for number, value in zip(block.numbers, block.records, strict=True):
            within = list(_inner(_outer(value, outer), inner))
            if len(within) == 1 and within[0] is value:
                count = number
                numbers.append(number)
            else:
                numbers += range(count + 1, count + 1 + len(within))
                count += len(within)
            records += within
        yield Block(numbers, records, block.end, block.broken)


def _outer(value: Any, picks: Sequence[Pick]) -> list[Any]:
    for pick in picks:
        found = pick(value)
        if found is not None:
            return found if isinstance(found, list) else [found]
    return [value]


def _inner(values: list[Any], picks: Mapping[str, Pick]) -> Iterator[Any]:
    if not picks:
        yield from values
        return
    for value in values:
        for name, pick in picks.items():
            found = pick(value)
            for record in found if isinstance(found, list) else []:
                yield {**record, PARENT: value, WITHIN: name} if isinstance(record, dict) else record
