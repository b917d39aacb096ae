"""Addresses that name no single host on the Internet, by what they are for.

Source: the IANA special-purpose address registries (RFC 6890 and later entries), multicast (RFC 5771), and that only
2000::/3 and the NAT64 prefix 64:ff9b::/96 are global unicast in IPv6. Our own table and not `ipaddress.is_global`:
its answers differ between patch releases of Python, and it takes ten times as long.
"""

from bisect import bisect_right
from ipaddress import ip_network

from tocsin.signals.ip import ip_span

_SPECIAL = {
    "0.0.0.0/8": "of 'this network'",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared behind carrier NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "for protocol assignments",
    "192.0.2.0/24": "for documentation",
    "192.88.99.0/24": "a former 6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "2001::/23": "for protocol assignments",
    "2001:db8::/32": "for documentation",
    "3fff::/20": "for documentation",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}
_GLOBAL_V6 = (ip_network("2000::/3"), ip_network("64:ff9b::/96"))
_MAPPED_V4 = (bytes(10) + b"\xff\xff" + bytes(4), bytes(10) + b"\xff" * 6)


_RANGES = sorted((*ip_span(network), why) for network, why in _SPECIAL.items())
_STARTS = [first for first, _, _ in _RANGES]
_GLOBAL = (_MAPPED_V4, *(ip_span(str(network)) for network in _GLOBAL_V6))


def special_use(key: bytes) -> str | None:
    """
    What the address of a 16-byte `key` is for when it is not one host on the Internet, such as "private".

    Returns: None, when it may be one.
    """
    first, last, why = _RANGES[bisect_right(_STARTS, key) - 1]
    if first <= key <= last:
        return why
    return None if any(low <= key <= high for low, high in _GLOBAL) else "reserved"


def special_networks() -> tuple[str, ...]:
    """The networks that have a use of their own, such as `10.0.0.0/8`."""
    return tuple(_SPECIAL)
