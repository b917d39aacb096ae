"""From documents to the records in them: an answer of an API holds many, a threat report holds attributes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tocsin.sources.reading import Block

Pick = Callable[[Any], Any]
PARENT, WITHIN = "parent", "within"


def unfolded(
    blocks: Iterable[Block], outer: Sequence[Pick], inner: Mapping[str, Pick], *, parent: bool = False
) -> Iterator[Block]:
    """
    The records in each value.

    Args:
        outer: where they may stand; the first that finds something counts, else the value is the record itself.
        inner: parts of those that are the records instead. Each is told its `parent`, and the name of the part as
            `within`.
        parent: whether the former are told their document as `parent`.
    """
    count = 0
    for block in blocks:
        numbers, records = list[int](), list[Any]()
        for number, value in zip(block.numbers, block.records, strict=True):
            within = _outer(value, outer, parent)
            if inner:
                within = _inner(within, inner)
            if len(within) == 1 and within[0] is value:
                count = number
                numbers.append(number)
            else:
                numbers += range(count + 1, count + 1 + len(within))
                count += len(within)
            records += within
        yield Block(numbers, records, block.end, block.broken)


def _outer(value: Any, picks: Sequence[Pick], parent: bool) -> list[Any]:
    for pick in picks:
        found = pick(value)
        if found is not None:
            records = _as_list(found)
            return [_told(record, value) for record in records] if parent else records
    return [value]


def _inner(values: list[Any], picks: Mapping[str, Pick]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        for name, pick in picks.items():
            found += [_told(record, value, name) for record in _as_list(pick(value))]
    return found


def _told(record: Any, parent: Any, name: str = "") -> Any:
    return {**record, PARENT: parent, WITHIN: name} if isinstance(record, dict) else record


def _as_list(found: Any) -> list[Any]:
    if found is None or found is False:
        return []
    return found if isinstance(found, list) else [found]
