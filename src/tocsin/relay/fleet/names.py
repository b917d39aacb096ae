"""Names of targets, sources and workers as single words of a topic or a key. Pure."""

import re

_ESCAPED = re.compile(r"[^A-Za-z0-9-]")


def word(name: str) -> str:
    """`name` with all but letters, digits and `-` as `_` and two hexadecimal digits a byte: no two names share one."""
    return _ESCAPED.sub(_hex, name) or "_"


def _hex(found: re.Match[str]) -> str:
    return "".join(f"_{byte:02x}" for byte in found[0].encode())
