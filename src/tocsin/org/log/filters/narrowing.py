"""What a filter says about events before they are made: which to leave out without a look. Pure.

Sound, not complete: what it leaves out cannot meet the filter, what it leaves in has to be looked at.
"""

from collections.abc import Callable, Collection

from tocsin.org.log.filters.matching import Event, matches
from tocsin.org.log.filters.syntax import And, Comparison, Node, Not, Operator, Or, Path, Present

_TYPE = ("eventType",)
_ACTOR = ("actor", "id")


def possible_types(node: Node, types: Collection[str]) -> set[str]:
    """Those of `types` whose events may meet the filter."""
    return {name for name in types if may_match(node, {_TYPE[0]: name}, lambda path: path == _TYPE) is not False}


def wanted_actors(node: Node) -> set[str] | None:
    """Ids of actors, one of which an event that meets the filter has; None when it may have any."""
    match node:
        case Comparison(path, operator, value) if path == _ACTOR and operator is Operator.EQ and isinstance(value, str):
            return {value}
        case And(nodes):
            named = [actors for inner in nodes if (actors := wanted_actors(inner)) is not None]
            return set.intersection(*named) if named else None
        case Or(nodes):
            each = [wanted_actors(inner) for inner in nodes]
            known = [actors for actors in each if actors is not None]
            return set[str]().union(*known) if len(known) == len(each) else None
        case _:
            return None


def may_match(node: Node, part: Event, is_known: Callable[[Path], bool]) -> bool | None:
    """
    Whether an event of which `part` is known meets the filter; None when that depends on the rest (Kleene's logic).

    Args:
        is_known: whether `part` says all about the member at a path.
    """
    match node:
        case Comparison(path) | Present(path):
            return matches(node, part) if is_known(path) else None
        case Not(inner):
            met = may_match(inner, part, is_known)
            return None if met is None else not met
        case And(nodes):
            return _all([may_match(inner, part, is_known) for inner in nodes])
        case Or(nodes):
            none = _all([may_match(Not(inner), part, is_known) for inner in nodes])
            return None if none is None else not none


def _all(each: Collection[bool | None]) -> bool | None:
    if False in each:
        return False
    return None if None in each else True
