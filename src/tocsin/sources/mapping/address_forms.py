"""How addresses are written at a path, where it is not plainly one."""

from collections.abc import Callable
from typing import Any

from tocsin.sources.addresses import keys_of
from tocsin.sources.mapping.stix_patterns import addresses_of

_NO_ADDRESSES = {"country", "as", "username", "session"}


def _parts(value: Any) -> Any:
    """MISP's `203.0.113.7|443` and `x.example|203.0.113.7`: the part that is an address."""
    for part in str(value).split("|"):
        try:
            keys_of(part)
        except ValueError:
            continue
        return part
    return value


def _scoped(value: Any) -> Any:
    """CrowdSec's `Ip:203.0.113.7` and `Range:203.0.113.0/24`. Raises: ValueError, where it is no address."""
    scope, colon, rest = str(value).partition(":")
    if colon and scope.lower() in ("ip", "range"):
        return rest
    if colon and scope.lower() in _NO_ADDRESSES:
        raise ValueError(f"{value} is no address")
    return value


def _pattern(value: Any) -> Any:
    """A STIX pattern: all addresses it is true of. Raises: ValueError, where it is true of none."""
    if not (found := addresses_of(str(value))):
        raise ValueError("the pattern speaks of no address")
    return found


FORMS: dict[str, Callable[[Any], Any] | None] = {
    "plain": None,
    "parts": _parts,
    "scoped": _scoped,
    "stix-pattern": _pattern,
}
"""By name in a profile; each gives one address, or a list of them."""
