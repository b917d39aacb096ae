"""Addresses as tools write them: with ports, brackets, zones, quotes, as networks, as lists of proxies."""

from collections.abc import Iterator
from ipaddress import ip_network

from tocsin.signals import ip_key, ip_text

_6TO4 = bytes.fromhex("2002")
_NAT64 = bytes.fromhex("0064ff9b") + bytes(8)
_V4 = bytes(10) + b"\xff\xff"


def keys_of(text: str) -> tuple[bytes, int]:
    """
    The key of the address in `text`, or of the first of a network, and how many addresses it is.

    `203.0.113.9:4711`, `[2001:db8::1]:80`, `"2001:db8::1"` and `fe80::1%eth0` are the address in them; a range such as
    `203.0.113.4-203.0.113.7` is as many as it holds.
    Raises: ValueError, which quotes the input.
    """
    try:
        return ip_key(text), 1
    except ValueError:
        pass
    bare = _bare(text)
    if "/" in bare:
        # Host bits may be set: 203.0.113.9/24 is the network it lies in.
        network = ip_network(bare, strict=False)
        return ip_key(str(network.network_address)), network.num_addresses
    if "-" in bare:
        first, last = (ip_key(end.strip()) for end in bare.split("-", 1))
        if last < first:
            raise ValueError(f"{text[:60]!r} ends before it begins")
        return first, int.from_bytes(last) - int.from_bytes(first) + 1
    return ip_key(bare), 1


def expand(key: bytes, count: int) -> Iterator[str]:
    """Canonical texts of `count` addresses from `key` on."""
    first = int.from_bytes(key)
    for number in range(first, first + count):
        yield ip_text(number.to_bytes(len(key)))


def ipv4_within(key: bytes) -> bytes | None:
    """
    The key of the IPv4 address that an IPv6 address of 6to4 or NAT64 leads to; None for any other.

    Source: RFC 3056, 2 (2002::/16) and RFC 6052, 2.1 (64:ff9b::/96).
    """
    if key.startswith(_6TO4):
        return _V4 + key[2:6]
    return _V4 + key[12:] if key.startswith(_NAT64) else None


def forwarded_hops(chain: str) -> list[str]:
    """
    The addresses of an X-Forwarded-For or Forwarded header, the nearest first.

    Source: RFC 7239, 4: the last entry was added by the proxy nearest to us, the first is the client's own word.
    """
    hops = [entry.strip() for entry in chain.split(",")]
    return [_for(hop) for hop in reversed(hops) if hop]


def _for(hop: str) -> str:
    """The `for=` of one element of a Forwarded header; an entry of X-Forwarded-For is the address itself."""
    for pair in hop.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name.lower() == "for":
            return value
    return hop


def _bare(text: str) -> str:
    bare = text.strip().strip('"')
    if bare.startswith("["):
        return bare[1:].partition("]")[0].partition("%")[0]
    if bare.count(":") == 1:
        return bare.partition(":")[0]
    return bare.partition("%")[0]
