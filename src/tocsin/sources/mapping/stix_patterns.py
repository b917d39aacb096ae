"""Which addresses a STIX pattern speaks about, and nothing else does.

`[ipv4-addr:value = '203.0.113.7' OR domain-name:value = 'x.example']` is true of the address alone, so it claims it. An
AND, a NOT, a `!=`, or a pattern over time are no claim about an address alone. Source: STIX 2.1, 9.
"""

import re
from functools import lru_cache
from typing import Any

_ADDRESS = r"ipv[46]-addr:value\s*(?:=|ISSUBSET)\s*'([^'\\]*)'"
_OTHER = r"[a-z][a-z0-9-]*:[A-Za-z0-9_.'-]+\s*=\s*'(?:[^'\\]|\\.)*'"
# One comparison, or several joined by OR: by far the most patterns, and a thousand times as fast as the parser.
_SIMPLE = re.compile(rf"\s*\[\s*(?:{_ADDRESS}|{_OTHER})(?:\s+OR\s+(?:{_ADDRESS}|{_OTHER}))*\s*\]\s*")
_FIND = re.compile(_ADDRESS)
_MAX_CHARS = 64 * 1024


def addresses_of(pattern: str) -> list[str]:
    """
    The addresses and networks that the pattern is true of, each on its own; empty when there are none.

    Raises: ValueError, when it is no pattern, or speaks of an address only together with something else.
    """
    if len(pattern) > _MAX_CHARS:
        raise ValueError(f"the pattern is longer than {_MAX_CHARS:,} characters")
    if _SIMPLE.fullmatch(pattern):
        return _FIND.findall(pattern)
    return list(_parsed(pattern))


@lru_cache(maxsize=1024)
def _parsed(pattern: str) -> tuple[str, ...]:
    from stix2patterns.exceptions import ParseException  # here: the parser takes a tenth of a second to import
    from stix2patterns.v21.pattern import Pattern

    try:
        parsed = Pattern(pattern)
    except (ParseException, RecursionError) as error:
        raise ValueError(f"is no STIX pattern: {' '.join(str(error).split())[:200]}") from None
    listener = _Listener()
    parsed.walk(listener)
    if listener.found and listener.bound:
        raise ValueError("the pattern speaks of an address only together with something else")
    return tuple(listener.found)


class _Listener:
    """Walks the parse tree; `enterEveryRule` sees each node, whose class name is the rule of the grammar."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.bound = False

    def enterEveryRule(self, node: Any) -> None:  # noqa: N802 - the parser calls it so
        match type(node).__name__.removesuffix("Context"):
            case "PropTestEqual" | "PropTestSet" | "PropTestIsSubset":
                self._test(node)
            case "ComparisonExpressionAnd" | "ObservationExpressionAnd" | "ObservationExpressions":
                # The grammar has this node for a single operand too.
                self.bound = self.bound or node.getChildCount() > 1

    def exitEveryRule(self, node: Any) -> None:  # noqa: N802
        """Nothing: what a rule says is known when it is entered."""

    def visitTerminal(self, node: Any) -> None:  # noqa: N802
        """Nothing."""

    def visitErrorNode(self, node: Any) -> None:  # noqa: N802
        """Nothing: a pattern with an error was refused before."""

    def _test(self, node: Any) -> None:
        if not _speaks_of_address(node):
            return
        words = [node.getChild(at).getText() for at in range(1, node.getChildCount())]
        if "NOT" in words or "!=" in words:
            self.bound = True
        self.found += re.findall(r"'([^'\\]*)'", words[-1])


def _speaks_of_address(node: Any) -> bool:
    return node.getChild(0).getText() in ("ipv4-addr:value", "ipv6-addr:value")
