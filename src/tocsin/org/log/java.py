"""Values as Java prints them: so do lists and maps stand in the strings of `debugData`. Pure. Source: spec 5.5."""

from collections.abc import Iterable, Mapping


def java_value(value: object) -> str:
    """`value` as `String.valueOf` gives it: nothing is quoted or escaped."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case Mapping():
            return java_map(value)
        case Iterable():
            return java_list(value)
        case _:
            return str(value)


def java_map(items: Mapping[str, object]) -> str:
    """`{ip=192.0.2.10, riskLevel=HIGH}`."""
    return "{" + ", ".join(f"{name}={java_value(value)}" for name, value in items.items()) + "}"


def java_list(items: Iterable[object]) -> str:
    """`[a, b]`."""
    return "[" + ", ".join(java_value(item) for item in items) + "]"
