"""Link headers: where a page of a list is, and where the next one begins (RFC 8288)."""

from collections.abc import Sequence
from urllib.parse import urlencode


def link_header(place: str, parameters: Sequence[tuple[str, str]], relation: str) -> tuple[bytes, bytes]:
    """One header of its own, as clients expect it, to `place` with `parameters`."""
    query = f"?{urlencode(parameters)}" if parameters else ""
    return b"link", f'<{place}{query}>; rel="{relation}"'.encode()
