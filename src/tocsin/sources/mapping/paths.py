"""JMESPath, compiled once: what expressions mostly are (paths, comparisons, and, or) becomes plain Python.

The rest is left to the `jmespath` library, whose answers the plain forms share; a property test compares the two. An
expression never raises: where the library raises, as for a comparison of a text with a number, the value is null.
Grammar: jmespath.org/specification.html.
"""

import re
from collections.abc import Callable
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from tocsin.sources.errors import SourceError

Getter = Callable[[Any], Any]
_FALSE: tuple[Any, ...] = ("", [], {}, None, False)
# An object wildcard keeps only one step after it in jmespath 1.1 (its issues 131 and 182): null, and never a hint.
_WILDCARD = re.compile(r"\.\*\s*\.[^.|\]]+\.")


def compile_path(expression: str) -> Getter:
    """
    A function that gives the value of `expression` for a record; null is None.

    Raises: SourceError, when it is not JMESPath.
    """
    if _WILDCARD.search(expression):
        hint = "write values(a)[].b.c for a.*.b.c"
        raise SourceError(f"{expression!r}: a wildcard keeps only one step after it", hint=hint)
    try:
        parsed = jmespath.compile(expression).parsed
    except JMESPathError as error:
        text = " ".join(str(error).split())
        raise SourceError(
            f"{expression!r} is not JMESPath: {text}", hint='keys with . - or @ stand in "quotes"'
        ) from None
    return _compiled(parsed)


def compile_test(expression: str) -> Callable[[Any], bool]:
    """Whether the value of `expression` for a record is one that JMESPath calls true. Raises: SourceError."""
    getter = compile_path(expression)
    if jmespath.compile(expression).parsed["type"] in ("comparator", "not_expression"):
        return getter  # their value is true, false or null
    return lambda record: _is_true(getter(record))


def _is_true(value: Any) -> bool:
    # 0 is true in JMESPath, and 0 == False in Python.
    return value is not None and value is not False and (value.__class__ is int or value not in _FALSE)


def _compiled(node: Any) -> Getter:
    build = _PLAIN.get(node["type"])
    getter = build(node) if build else None
    return getter or _interpreted(node)


def _interpreted(node: Any) -> Getter:
    visit = TreeInterpreter().visit

    def getter(record: Any) -> Any:
        try:
            return visit(node, record)
        except (JMESPathError, TypeError):
            return None

    return getter


def _field(node: Any) -> Getter:
    name = node["value"]
    return lambda record: record.get(name) if record.__class__ is dict else None


def _literal(node: Any) -> Getter:
    value = node["value"]
    return lambda _record: value


def _current(_node: Any) -> Getter:
    return lambda record: record


def _subexpression(node: Any) -> Getter | None:
    names = _names(node)
    if names is None:
        return _steps(node)
    if len(names) == 2:
        outer, last = names
        return lambda record: (
            inner.get(last) if record.__class__ is dict and (inner := record.get(outer)).__class__ is dict else None
        )

    def getter(record: Any) -> Any:
        for name in names:
            if record.__class__ is not dict:
                return None
            record = record.get(name)
        return record

    return getter


def _steps(node: Any) -> Getter:
    return _chained([_compiled(child) for child in node["children"]])


def _chained(steps: list[Getter]) -> Getter:
    def getter(record: Any) -> Any:
        for step in steps:
            record = step(record)
        return record

    return getter


def _index(node: Any) -> Getter:
    at = node["value"]
    return lambda record: record[at] if record.__class__ is list and -len(record) <= at < len(record) else None


def _flatten(node: Any) -> Getter:
    inner = _compiled(node["children"][0])

    def getter(record: Any) -> Any:
        found = inner(record)
        if found.__class__ is not list:
            return None
        flat = list[Any]()
        for one in found:
            if one.__class__ is list:
                flat += one
            else:
                flat.append(one)
        return flat

    return getter


def _projection(node: Any) -> Getter:
    left, right = (_compiled(child) for child in node["children"])

    def getter(record: Any) -> Any:
        found = left(record)
        if found.__class__ is not list:
            return None
        return [value for one in found if (value := right(one)) is not None]

    return getter


def _filter(node: Any) -> Getter:
    left, right, test = (_compiled(child) for child in node["children"])

    def getter(record: Any) -> Any:
        found = left(record)
        if found.__class__ is not list:
            return None
        return [value for one in found if _is_true(test(one)) and (value := right(one)) is not None]

    return getter


def _function(node: Any) -> Getter | None:
    """`contains` and `starts_with` of texts, which most conditions of mappings are."""
    if len(node["children"]) != 2 or node["value"] not in ("contains", "starts_with"):
        return None
    where, what = (_compiled(child) for child in node["children"])
    if node["value"] == "starts_with":
        return lambda record: (
            text.startswith(start)
            if (text := where(record)).__class__ is str and (start := what(record)).__class__ is str
            else None
        )

    def contains(record: Any) -> Any:
        subject, search = where(record), what(record)
        if subject.__class__ is str:
            return search in subject if search.__class__ is str else False
        return search in subject if subject.__class__ is list else None

    return contains


def _names(node: Any) -> list[str] | None:
    """The fields of a path that is nothing but fields."""
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] != "subexpression":
        return None
    steps = [_names(child) for child in node["children"]]
    return None if None in steps else [name for names in steps if names for name in names]


def _comparator(node: Any) -> Getter | None:
    if node["value"] not in ("eq", "ne"):
        return None
    left, right = (_compiled(child) for child in node["children"])
    wanted = node["value"] == "eq"
    literal = node["children"][1].get("value") if node["children"][1]["type"] == "literal" else None
    if isinstance(literal, str):  # equal to no value of another type, in JMESPath as in Python
        return (lambda record: left(record) == literal) if wanted else (lambda record: left(record) != literal)
    return lambda record: _equal(left(record), right(record)) is wanted


def _equal(one: Any, other: Any) -> bool:
    if one.__class__ is bool or other.__class__ is bool:
        return one is other
    return bool(one == other)


def _and(node: Any) -> Getter:
    left, right = (_compiled(child) for child in node["children"])
    return lambda record: right(record) if _is_true(found := left(record)) else found


def _or(node: Any) -> Getter:
    left, right = (_compiled(child) for child in node["children"])
    return lambda record: found if _is_true(found := left(record)) else right(record)


def _not(node: Any) -> Getter:
    inner = _compiled(node["children"][0])
    return lambda record: not _is_true(inner(record))


_PLAIN: dict[str, Callable[[Any], Getter | None]] = {
    "field": _field,
    "literal": _literal,
    "current": _current,
    "identity": _current,
    "subexpression": _subexpression,
    "index": _index,
    "index_expression": _steps,
    "pipe": _steps,
    "flatten": _flatten,
    "projection": _projection,
    "filter_projection": _filter,
    "function_expression": _function,
    "comparator": _comparator,
    "and_expression": _and,
    "or_expression": _or,
    "not_expression": _not,
}
