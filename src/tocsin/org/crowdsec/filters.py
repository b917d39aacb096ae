"""The query of a bouncer: which decisions it asks for. Pure. Source: answers recorded from CrowdSec 1.4.6.

Its peculiarities are kept: of a name given twice the first counts; `range` beats `ip`; an address is found by `ip` and
`range` in any spelling and by `value` only as printed; scopes are compared without case, types and origins with it; an
empty list lets nothing through; a pair that cannot be decoded, or a name that is not known, is passed over.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tocsin.errors import TocsinError
from tocsin.org.crowdsec.decisions import ORIGIN, SCOPE, Told, go_json
from tocsin.signals import ip_key, ip_text

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_STREAM_SCOPES = {"scopes": "ip,range"}
_HEX = frozenset("0123456789abcdefABCDEF")
_MOST_PAIRS = 100
_MAPPED = bytes(10) + b"\xff\xff"

Network = IPv4Network | IPv6Network


class BadFilter(TocsinError):
    """A bouncer asks for something that is not there to be asked. Nothing was changed."""


class Filter(NamedTuple):
    """Which decisions are asked for."""

    key: bytes | None = None
    """Only this IP, by its 16-byte key; None for any."""
    within: Network | None = None
    """Only IPs in this network."""
    type: str | None = None
    containing: tuple[str, ...] | None = None
    """Lower case; the scenario has at least one of them in it."""
    not_containing: tuple[str, ...] = ()
    """Lower case; the scenario has none of them in it."""
    nothing: bool = False
    """Whether nothing we have could fit."""

    def fits(self, one: Told) -> bool:
        """Whether `one` is asked for; where it may be, `key` and `within`, is for the one who searches there."""
        if self.nothing or (self.type is not None and one.type != self.type):
            return False
        if self.containing is None and not self.not_containing:
            return True
        scenario = one.scenario.lower()
        if self.containing is not None and not any(part in scenario for part in self.containing):
            return False
        return not any(part in scenario for part in self.not_containing)

    def covers(self, key: bytes) -> bool:
        """Whether the IP of a 16-byte `key` is among those asked about."""
        if self.key is not None:
            return key == self.key
        return self.within is None or _holds(self.within, key)


def read_filter(query: bytes, *, stream: bool = False) -> Filter:
    """What the query string asks for. A stream that names no scopes asks for those of IPs. Raises BadFilter."""
    values = {**(_STREAM_SCOPES if stream else {}), **go_query(query)}
    contains = _contains(values)
    found = _where(values, contains=contains)
    return found._replace(
        type=values.get("type"),
        containing=_listed(values.get("scenarios_containing")),
        not_containing=_listed(values.get("scenarios_not_containing")) or (),
        nothing=found.nothing or not _ours(values),
    )


def go_query(query: bytes) -> dict[str, str]:
    """The first value of each name, as Go's net/url reads a query: pairs it cannot decode are passed over."""
    values: dict[str, str] = {}
    for pair in query.decode("latin-1").split("&")[:_MOST_PAIRS]:
        name, _, value = (_unescaped(part) for part in pair.partition("="))
        if pair and ";" not in pair and name is not None and value is not None:
            values.setdefault(name, value)
    return values


def _unescaped(text: str) -> str | None:
    parts = text.split("%")[1:]
    if any(len(part) < 2 or not _HEX.issuperset(part[:2]) for part in parts):
        return None
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8", "replace")


def _contains(values: Mapping[str, str]) -> bool:
    text = values.get("contains", "true")
    if text not in _TRUE | _FALSE:
        parsing = f"strconv.ParseBool: parsing {go_json(text)}: invalid syntax"
        raise BadFilter(f"invalid contains value : {parsing}: invalid filter")
    return text in _TRUE


def _where(values: Mapping[str, str], *, contains: bool) -> Filter:
    text = values.get("range", values.get("ip"))
    value = values.get("value")
    found = Filter() if text is None else _at(text, contains=contains)
    if value is None or found.nothing:
        return found
    try:
        key = ip_key(value)
    except ValueError:
        return Filter(nothing=True)
    if ip_text(key) != value or not found.covers(key):
        return Filter(nothing=True)
    return Filter(key=key)


def _at(text: str, *, contains: bool) -> Filter:
    """Those that hold all of `text`, an address or a network, or with `contains` false those that are within."""
    if "/" not in text:
        try:
            return Filter(key=ip_key(text))
        except ValueError:
            raise _unreadable(text, "invalid address") from None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise _unreadable(text, f"while parsing range {text}: invalid CIDR address: {text}") from None
    if network.num_addresses == 1:
        return Filter(key=ip_key(str(network.network_address)))
    return Filter(nothing=True) if contains else Filter(within=network)


def _unreadable(text: str, why: str) -> BadFilter:
    return BadFilter(f"unable to convert '{text}' to int: {why}: invalid ip address / range")


def _ours(values: Mapping[str, str]) -> bool:
    """Whether the scopes and origins that are asked for are ours."""
    scopes, origins = values.get("scopes"), values.get("origins")
    return (scopes is None or SCOPE.lower() in scopes.lower().split(",")) and (
        origins is None or ORIGIN in origins.split(",")
    )


def _listed(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(text.lower().split(","))


def _holds(network: Network, key: bytes) -> bool:
    first, last = bounds(network)
    mapped = network.version == 6 and key.startswith(_MAPPED) and not first.startswith(_MAPPED)
    return first <= key <= last and not mapped  # ::/0 is for IPv6 alone


def bounds(network: Network) -> tuple[bytes, bytes]:
    """The 16-byte keys of the first and the last address of `network`."""
    first = ip_key(str(network.network_address))
    return first, (int.from_bytes(first) + network.num_addresses - 1).to_bytes(16)
