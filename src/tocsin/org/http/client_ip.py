"""Whose address a request comes from, when proxies stand between. Pure. Source: spec of sources, 1.1.6."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

_MOST_HOPS = 50
Network = IPv4Network | IPv6Network


class TrustedProxies:
    """The networks whose word about a client is believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Raises ValueError for what is no network or address."""
        self._networks: list[Network] = [ip_network(network) for network in networks]

    def trusts(self, address: str) -> bool:
        """Whether `address` is one of them; False for what is no address."""
        return bool(self._networks) and _within(address, tuple(self._networks))

    def client_ip(self, peer: str, forwarded_for: str | None) -> str:
        """
        The client of a request: the peer, or behind trusted proxies the last address that is none of theirs.

        Args:
            forwarded_for: all X-Forwarded-For headers, joined by commas. Read from the right: the left end is whatever
                the client wrote itself.
        """
        client = plain_address(peer)
        hops = (forwarded_for or "").split(",")[-_MOST_HOPS:]
        while hops and self.trusts(client):
            claimed = plain_address(hops.pop())
            if not _is_address(claimed):
                break
            client = claimed
        return client


def plain_address(address: str) -> str:
    """Without port, brackets, quotes and zone, and an IPv4-mapped one as IPv4."""
    text = address.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.partition("%")[0]
    return text[7:] if text.lower().startswith("::ffff:") and "." in text else text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
