"""What a filter says about events before they are made: which to leave out without a look. Pure.

Sound, not complete: what it leaves out cannot meet the filter, what it leaves in has to be looked at.
"""

from collections.abc import Collection

from tocsin.org.log.filters.matching import compare
from tocsin.org.log.filters.syntax import And, Comparison, Node, Not, Operator, Or, Present

_TYPE = ("eventType",)
_ACTOR = ("actor", "id")


def possible_types(node: Node, types: Collection[str]) -> set[str]:
    """Those of `types` whose events may meet the filter."""
    return {name for name in types if _may(node, name) is not False}


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


def _may(node: Node, event_type: str) -> bool | None:
    """Whether an event of this type meets the filter; None when that depends on more (Kleene's logic)."""
    match node:
        case Comparison(path, operator, value) if path == _TYPE:
            return compare(operator, iter([event_type]), value)
        case Present(path) if path == _TYPE:
            return True
        case Not(inner):
            met = _may(inner, event_type)
            return None if met is None else not met
        case And(nodes):
            return _all([_may(inner, event_type) for inner in nodes])
        case Or(nodes):
            none = _all([_may(Not(inner), event_type) for inner in nodes])
            return None if none is None else not none
        case _:
            return None


def _all(each: Collection[bool | None]) -> bool | None:
    if False in each:
        return False
    return None if None in each else True
