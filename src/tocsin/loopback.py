"""What stays on this machine: where a credential may go without TLS, and what may be listened on without a warning."""

from ipaddress import ip_address

PLAIN_HTTP_HINT = "write https:// in the URL; plain http is for loopback only"


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` (a name or an address, without brackets) stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # RFC 6761, 6.3: resolvers keep it on the machine
