"""A filter of the System Log as a tree, and back as text. Pure. Source: spec 5.3."""

import json
from enum import StrEnum

from msgspec import Struct

Path = tuple[str, ...]
"""Names of members, from the event inwards, as the event spells them."""
Value = str | bool | int | float


class Operator(StrEnum):
    """How a member is compared."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    CO = "co"
    SW = "sw"
    EW = "ew"


class Comparison(Struct, frozen=True):
    """A member compared with a value."""

    path: Path
    operator: Operator
    value: Value


class Present(Struct, frozen=True):
    """A member that is not null."""

    path: Path


class Not(Struct, frozen=True):
    """What is not so."""

    node: "Node"


class And(Struct, frozen=True):
    """All of two or more."""

    nodes: tuple["Node", ...]


class Or(Struct, frozen=True):
    """Any of two or more."""

    nodes: tuple["Node", ...]


Node = Comparison | Present | Not | And | Or


def text_of(node: Node) -> str:
    """`node` as a filter that is read as the same tree."""
    match node:
        case Comparison(path, operator, value):
            return f"{'.'.join(path)} {operator} {json.dumps(value)}"
        case Present(path):
            return f"{'.'.join(path)} pr"
        case Not(inner):
            return f"not {_inner(inner)}"
        case And(nodes):
            return " and ".join(map(_inner, nodes))
        case Or(nodes):
            return " or ".join(map(_inner, nodes))


def _inner(node: Node) -> str:
    return text_of(node) if isinstance(node, Comparison | Present) else f"({text_of(node)})"
