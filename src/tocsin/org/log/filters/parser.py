"""Reads a filter of the System Log: recursive descent, bounded in length and depth. Pure. Source: spec 5.3, 5.7.

expr   = and *( SP "or" SP and )
and    = unary *( SP "and" SP unary )
unary  = [ "not" SP ] ( "(" expr ")" / cmp )
cmp    = path SP op SP value  /  path SP "pr"
"""

import json
import math
import re

from tocsin.errors import TocsinError
from tocsin.org.log.filters.fields import refuses, resolve
from tocsin.org.log.filters.syntax import And, Comparison, Node, Not, Operator, Or, Path, Present, Value

MOST_CHARS = 8192
MOST_DEPTH = 50
"""Of parentheses."""
_QUOTED_CHARS = 200
_EXPECTED = "eq,co,sw,pr,gt,ge,lt,le"  # the text of the documented error, which forgets ne and ew
_BLANK = re.compile(r"[ \t]*")
_WORD = re.compile(r'[^\s()"]+')
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")


class BadFilter(TocsinError):
    """A filter that cannot be read; the text is what the API answers."""


class FieldRefused(BadFilter):
    """The operator cannot be used on this field."""

    def __init__(self, operator: Operator, path: Path) -> None:
        super().__init__(
            "The supplied combination of operator and field is not currently supported. "
            f"Operator: {operator}, Field: {'.'.join(path)}"
        )


def parse_filter(text: str) -> Node:
    """The tree of a filter. Raises BadFilter for anything that is none."""
    if len(text) > MOST_CHARS:
        raise BadFilter(f"Invalid filter '{text[:_QUOTED_CHARS]}...': it is longer than {MOST_CHARS} characters")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._any()
        if self._at < len(self._text):
            raise self._expected("'and' or 'or'")
        return node

    def _any(self) -> Node:
        nodes = [self._all()]
        while self._keyword("or"):
            nodes.append(self._all())
        return Or(tuple(nodes)) if len(nodes) > 1 else nodes[0]

    def _all(self) -> Node:
        nodes = [self._unary()]
        while self._keyword("and"):
            nodes.append(self._unary())
        return And(tuple(nodes)) if len(nodes) > 1 else nodes[0]

    def _unary(self) -> Node:
        return Not(self._operand()) if self._keyword("not") else self._operand()

    def _operand(self) -> Node:
        self._skip()
        if not self._text.startswith("(", self._at):
            return self._comparison()
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._bad(f"more than {MOST_DEPTH} parentheses are open at position {self._at}")
        self._at += 1
        node = self._any()
        if not self._text.startswith(")", self._at):
            raise self._expected("')'")
        self._at += 1
        self._depth -= 1
        self._skip()
        return node

    def _comparison(self) -> Node:
        path = self._path()
        at, word = self._word("an attribute operator")
        name = word.lower()
        if name == "pr":
            return Present(path)
        if name not in set(Operator):
            raise self._bad(f"Unrecognized attribute operator '{word}' at position {at}. Expected: {_EXPECTED}")
        operator = Operator(name)
        value = self._value()
        if refuses(path, operator):
            raise FieldRefused(operator, path)
        return Comparison(path, operator, value)

    def _path(self) -> Path:
        at, word = self._word("an attribute")
        names = tuple(word.split("."))
        if not all(map(_NAME.fullmatch, names)):
            self._at = at
            raise self._expected("an attribute")
        path = resolve(names)
        if path is None:
            raise BadFilter(f"field is not valid: {word}")
        return path

    def _value(self) -> Value:
        self._skip()
        if found := _STRING.match(self._text, self._at):
            self._at = found.end()
            value = json.loads(found[0])
            assert isinstance(value, str)
            self._after_value()
            return value
        at, word = self._word("a value")
        if word.lower() in ("true", "false"):
            return word.lower() == "true"
        if _NUMBER.fullmatch(word) and math.isfinite(number := json.loads(word)):
            assert isinstance(number, int | float)
            return number
        self._at = at
        raise self._expected("a value: a JSON string, a number, true or false")

    def _after_value(self) -> None:
        if self._at < len(self._text) and self._text[self._at] not in " \t)":
            raise self._expected("a blank")
        self._skip()

    def _word(self, what: str) -> tuple[int, str]:
        """The word here and its position, and on to what follows it."""
        self._skip()
        at = self._at
        found = _WORD.match(self._text, at)
        if found is None:
            raise self._expected(what)
        self._at = found.end()
        self._skip()
        return at, found[0]

    def _keyword(self, wanted: str) -> bool:
        self._skip()
        found = _WORD.match(self._text, self._at)
        if found is None or found[0].lower() != wanted:
            return False
        self._at = found.end()
        return True

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _expected(self, what: str) -> BadFilter:
        if self._at >= len(self._text):
            return self._bad(f"End of input at position {self._at} but expected {what}")
        return self._bad(f"Unexpected character '{self._text[self._at]}' at position {self._at}. Expected: {what}")

    def _bad(self, why: str) -> BadFilter:
        return BadFilter(f"Invalid filter '{self._text}': {why}")
