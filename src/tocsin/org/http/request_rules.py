"""What a request must look like before anyone asks whose it is. Pure. Source: RFC 9110, RFC 9112, spec 3.2.

Paths are compared as they are written, and nothing is normalised: what stands in front of the org and decides by path
sees the path that the org sees.
"""

import re
from collections.abc import Iterable

from tocsin.org.http.errors import bad_argument, method_not_allowed, path_not_found

# Segments that are neither empty nor dots, and hold no control character nor what stands for bytes that are not UTF-8.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f\ufffd]+)+")
_ONCE = frozenset({b"authorization", b"content-type", b"content-length", b"host", b"accept"})
_JSON_TYPES = frozenset({"*/*", "application/*", "application/json"})
_UTF_8 = frozenset({"utf-8", "utf8"})


def check_path(path: str, raw_path: str) -> None:
    """
    Raise Refusal (404) for a path that another server may read as another one: `//`, `/../`, `%2F`, a last slash.

    Args:
        path: with percent signs decoded.
        raw_path: as it was sent.
    Raises: Refusal, 405 for a target that is no path: `OPTIONS *`, and the host of CONNECT.
    """
    if not path.startswith("/"):
        raise method_not_allowed()
    if (path != "/" and not _PLAIN_PATH.fullmatch(path)) or "%2f" in raw_path.lower():
        raise path_not_found()


def join_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """
    Headers by lower-case name, those that came several times joined by commas (RFC 9110, 5.3).

    Raises: Refusal (400), when one that says who asks, or what the body is, came twice: proxies and servers differ in
        which of them they believe.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in joined:
            if name in _ONCE:
                raise bad_argument(f"more than one {name.decode()} header")
            value = joined[name] + b", " + value
        joined[name] = value
    return joined


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON in UTF-8."""
    if content_type == "application/json":
        return True
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    return media_type == "application/json" and all(charset in _UTF_8 for charset in charsets)


def is_utf_8(body: bytes) -> bool:
    """Whether `body` is text: decoders look at the strings they want alone, and fail in a way of their own."""
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


def accepts_json(accept: str | None) -> bool:
    """Whether an Accept header lets the answer be JSON; an absent or empty one lets it be anything."""
    if not accept or accept in _JSON_TYPES:
        return True
    return any(_takes_json(part) for part in accept.lower().split(","))


def _takes_json(media_range: str) -> bool:
    media_type, *parameters = (part.strip() for part in media_range.split(";"))
    weights = [value.strip() for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "q"]
    return media_type in _JSON_TYPES and not any(re.fullmatch(r"0(\.0{0,3})?", weight) for weight in weights)
