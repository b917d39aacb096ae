"""Whether an event meets a filter. Pure. Source: spec 5.3; what is marked U is our choice.

- A path that leads through lists names every value at its ends; a comparison holds when any one of them meets it.
- `ne` is the opposite of `eq`: it holds where no value is equal, also where there is none (U).
- Strings are compared with their case (U), and ordered by their characters.
- In `debugData` all values are strings: a number or boolean in the filter meets a string that reads as it (U).
"""

import operator as op
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tocsin.org.log.filters.fields import camel
from tocsin.org.log.filters.syntax import And, Comparison, Node, Not, Operator, Or, Path, Present, Value

Event = Mapping[str, object]
"""An event as JSON has it."""
_ORDERED: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: op.eq,
    Operator.GT: op.gt,
    Operator.GE: op.ge,
    Operator.LT: op.lt,
    Operator.LE: op.le,
}
_TEXTUAL: dict[Operator, Callable[[str, str], bool]] = {
    Operator.CO: op.contains,
    Operator.SW: str.startswith,
    Operator.EW: str.endswith,
}
_NUMBER_CHARS = 40


def matches(node: Node, event: Event) -> bool:
    """Whether `event` meets the filter."""
    match node:
        case Comparison(path, operator, value):
            return _compare(operator, values_at(path, event), value)
        case Present(path):
            return any(value is not None for value in values_at(path, event))
        case Not(inner):
            return not matches(inner, event)
        case And(nodes):
            return all(matches(inner, event) for inner in nodes)
        case Or(nodes):
            return any(matches(inner, event) for inner in nodes)


def _compare(operator: Operator, found: Iterator[object], value: Value) -> bool:
    """Whether any of the values `found` compares so with the filter's `value`."""
    if operator is Operator.NE:
        return not any(_meets(Operator.EQ, each, value) for each in found)
    return any(_meets(operator, each, value) for each in found)


def values_at(path: Path, value: object) -> Iterator[object]:
    """All values at `path`; maps and nulls in between have none, and one at the end is one."""
    if isinstance(value, list):
        for item in value:
            yield from values_at(path, item)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        name = path[0] if path[0] in value else camel(path[0])
        if name in value:
            yield from values_at(path[1:], value[name])


def _meets(operator: Operator, found: object, value: Value) -> bool:
    if operator in _TEXTUAL:
        text, part = _text(found), _text(value)
        return text is not None and part is not None and _TEXTUAL[operator](text, part)
    same = _as(found, value)
    return same is not None and _ORDERED[operator](same, value)


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return None


def _as(found: object, value: Value) -> Value | None:
    """What was found as the kind of value that the filter has, or None when it reads as none."""
    match value:
        case bool():
            return {"true": True, "false": False}.get(_text(found) or "")
        case str():
            return _text(found)
        case _:
            return _number(found)


def _number(found: object) -> float | None:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return found
    if not isinstance(found, str) or len(found) > _NUMBER_CHARS:
        return None
    try:
        return float(found) if not found.isascii() or not found.isdigit() else int(found)
    except ValueError:
        return None
