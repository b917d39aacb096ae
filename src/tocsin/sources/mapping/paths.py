"""JMESPath, compiled once: what expressions mostly are (paths, comparisons, and, or) is written as Python and compiled.

The rest is left to the `jmespath` library, whose answers the Python shares; a property test compares the two. An
expression never raises: where the library raises, as for a comparison of a text with a number, the value is null.
Grammar: jmespath.org/specification.html.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from tocsin.sources.errors import SourceError

Getter = Callable[[Any], Any]
# An object wildcard keeps only one step after it in jmespath 1.1 (its issues 131 and 182): null, and never a hint.
_WILDCARD = re.compile(r"\.\*\s*\.[^.|\]]+\.")
_RECORD = "record"
_OPERATORS = frozenset("|&=<>!`'\"*?{},")


def compile_path(expression: str) -> Getter:
    """
    A function that gives the value of `expression` for a record; null is None.

    Raises: SourceError, when it is not JMESPath.
    """
    with _refusing(expression):
        python = _Python()
        return python.function(python.value(_parsed(expression), _RECORD))


def compile_paths(expressions: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The same for several, whose values are given together. Raises: SourceError."""
    python, texts = _Python(), ""
    for expression in expressions:
        with _refusing(expression):
            texts += f"{python.value(_parsed(expression), _RECORD)}, "
    with _refusing(", ".join(expressions)):
        return python.function(f"({texts})")


def compile_test(expression: str) -> Callable[[Any], bool]:
    """Whether the value of `expression` for a record is one that JMESPath calls true. Raises: SourceError."""
    with _refusing(expression):
        python = _Python()
        return python.function(f"not not {python.test(_parsed(expression), _RECORD)}")


def _parsed(expression: str) -> Any:
    if _WILDCARD.search(expression):
        hint = "write values(a)[].b.c for a.*.b.c"
        raise SourceError(f"{expression!r}: a wildcard keeps only one step after it", hint=hint)
    return jmespath.compile(expression).parsed


@contextmanager
def _refusing(expression: str) -> Iterator[None]:
    try:
        yield
    except JMESPathError as error:
        text = " ".join(str(error).split())
        raise SourceError(f"{expression!r} is not JMESPath: {text}", hint=_quoting(expression)) from None
    except (SyntaxError, MemoryError, RecursionError):  # as Python says of brackets in a hundred brackets
        raise SourceError(f"{expression[:60]!r}... is nested too deeply", hint="write it as several rules") from None


def _quoting(expression: str) -> str:
    name = expression if _OPERATORS.isdisjoint(expression) else "Source IP"
    return f"""a name that holds a blank or any sign but _ stands in double quotes within the others: '"{name}"'"""


@contextmanager
def at_key(key: str) -> Iterator[None]:
    """Names the key of a mapping, or its file, in what is refused of it."""
    try:
        yield
    except SourceError as error:
        raise SourceError(f"{key}: {error}", hint=error.hint) from None


class _Python:
    """
    The Python of one expression: a text for each node of its tree, and the names that stand in those texts.

    Every value of the expression is bound to a name, so that no text of it is ever read as Python.
    """

    def __init__(self) -> None:
        self._bound: dict[str, Any] = {"__builtins__": {}, "dict": dict, "list": list, "len": len}
        self._bound["numbers"] = (int, float)
        self._temporaries = 0

    def function(self, text: str) -> Getter:
        """What `text` says, of a record."""
        made: Getter = eval(f"lambda {_RECORD}: {text}", self._bound)  # noqa: S307 - of our own words alone
        return made

    def bind(self, value: Any) -> str:
        """A name for a value."""
        name = f"c{len(self._bound)}"
        self._bound[name] = value
        return name

    def temporary(self) -> str:
        """A name for what is worked out on the way."""
        self._temporaries += 1
        return f"t{self._temporaries}"

    def value(self, node: Any, on: str) -> str:
        """The value of `node` for what the name `on` stands for."""
        write = _WRITERS.get(node["type"])
        text = write(self, node, on) if write else None
        return text or f"{self.bind(_interpreted(node))}({on})"

    def test(self, node: Any, on: str) -> str:
        """Whether JMESPath calls that value true: all but null, false and what is empty, so 0 is."""
        kind = node["type"]
        if kind in _WORDS:
            return f"({_WORDS[kind].join(self.test(one, on) for one in _chain(node))})"
        if kind == "not_expression":
            return f"(not {self.test(node['children'][0], on)})"
        if kind == "comparator" and node["value"] in ("eq", "ne"):
            return self.value(node, on)
        return self.truth(self.temporary(), self.value(node, on))

    def truth(self, name: str, text: str) -> str:
        """Whether the value of `text`, which is `name` from then on, is true."""
        return f"(({name} := {text}) or {name}.__class__ in numbers)"


_WORDS = {"or_expression": " or ", "and_expression": " and "}


def _chain(node: Any) -> list[Any]:
    """The operands of `a || b || c`, which is a tree that leans to the left."""
    operands = list[Any]()
    kind = node["type"]
    while node["type"] == kind:
        node, right = node["children"]
        operands.append(right)
    return [node, *reversed(operands)]


def _interpreted(node: Any) -> Getter:
    visit = TreeInterpreter().visit

    def getter(record: Any) -> Any:
        try:
            return visit(node, record)
        except (JMESPathError, TypeError):
            return None

    return getter


def _field(python: _Python, node: Any, on: str) -> str:
    at = python.temporary()
    return f"({at}.get({python.bind(node['value'])}) if ({at} := {on}).__class__ is dict else None)"


def _index(python: _Python, node: Any, on: str) -> str:
    at, number = python.temporary(), int(node["value"])
    return f"({at}[{number}] if ({at} := {on}).__class__ is list and -len({at}) <= {number} < len({at}) else None)"


def _literal(python: _Python, node: Any, _on: str) -> str:
    return python.bind(node["value"])


def _current(_python: _Python, _node: Any, on: str) -> str:
    return on


def _steps(python: _Python, node: Any, on: str) -> str:
    first, *rest = node["children"]
    text = python.value(first, on)
    for step in rest:
        if step["type"] in ("field", "index"):  # these look once at what they are given
            text = python.value(step, text)
        else:
            name = python.temporary()
            text = f"({name} := {text}, {python.value(step, name)})[1]"
    return text


def _flatten(python: _Python, node: Any, on: str) -> str:
    return f"{python.bind(_flat)}({python.value(node['children'][0], on)})"


def _flat(found: Any) -> Any:
    if found.__class__ is not list:
        return None
    flat: list[Any] = []
    for one in found:
        if one.__class__ is list:
            flat += one
        else:
            flat.append(one)
    return flat


def _projection(python: _Python, node: Any, on: str) -> str:
    left, right, *test = node["children"]
    found, one, value = python.temporary(), python.temporary(), python.temporary()
    wanted = f"{python.test(test[0], one)} and " if test else ""
    wanted += f"({value} := {python.value(right, one)}) is not None"
    of_list = f"[{value} for {one} in {found} if {wanted}]"
    return f"({of_list} if ({found} := {python.value(left, on)}).__class__ is list else None)"


def _function(python: _Python, node: Any, on: str) -> str | None:
    """`contains` and `starts_with` of texts, which most conditions of mappings are."""
    function = _FUNCTIONS.get(node["value"])
    if function is None or len(node["children"]) != 2:
        return None
    where, what = (python.value(child, on) for child in node["children"])
    return f"{python.bind(function)}({where}, {what})"


def _starts_with(text: Any, start: Any) -> Any:
    return text.startswith(start) if text.__class__ is str and start.__class__ is str else None


def _contains(subject: Any, search: Any) -> Any:
    if subject.__class__ is str:
        return search in subject if search.__class__ is str else None
    return search in subject if subject.__class__ is list else None


_FUNCTIONS = {"starts_with": _starts_with, "contains": _contains}


def _comparator(python: _Python, node: Any, on: str) -> str | None:
    if node["value"] not in ("eq", "ne"):
        return None
    left, right = (python.value(child, on) for child in node["children"])
    literal = node["children"][1].get("value") if node["children"][1]["type"] == "literal" else None
    if literal.__class__ is str:  # equal to no value of another type, in JMESPath as in Python
        return f"({left} {'==' if node['value'] == 'eq' else '!='} {right})"
    return f"({python.bind(_equal)}({left}, {right}) is {node['value'] == 'eq'})"


def _equal(one: Any, other: Any) -> bool:
    if one.__class__ is bool or other.__class__ is bool:
        return one is other
    return bool(one == other)


def _or(python: _Python, node: Any, on: str) -> str:
    return _first(python, node, on, "{name} if {truth} else ")


def _and(python: _Python, node: Any, on: str) -> str:
    return _first(python, node, on, "{name} if not {truth} else ")


def _first(python: _Python, node: Any, on: str, choice: str) -> str:
    *operands, last = _chain(node)
    text = ""
    for operand in operands:
        name = python.temporary()
        text += choice.format(name=name, truth=python.truth(name, python.value(operand, on)))
    return f"({text}{python.value(last, on)})"


def _not(python: _Python, node: Any, on: str) -> str:
    return python.test(node, on)


_WRITERS: dict[str, Callable[[_Python, Any, str], str | None]] = {
    "field": _field,
    "literal": _literal,
    "current": _current,
    "identity": _current,
    "subexpression": _steps,
    "index": _index,
    "index_expression": _steps,
    "pipe": _steps,
    "flatten": _flatten,
    "projection": _projection,
    "filter_projection": _projection,
    "function_expression": _function,
    "comparator": _comparator,
    "and_expression": _and,
    "or_expression": _or,
    "not_expression": _not,
}
