"""Names of targets, sources and workers as single words of a topic or a key; and of what is handed over. Pure."""

import re
from hashlib import sha256

LONGEST, SHOWN_OF_LONGEST = 300, 50
"""Bytes of the name of a source that is handed over; characters that are shown of a longer one."""
_ESCAPED = re.compile(r"[^A-Za-z0-9-]")


def word(name: str) -> str:
    """`name` with all but letters, digits and `-` as `_` and two hexadecimal digits a byte: no two names share one."""
    return _ESCAPED.sub(_hex, name) or "_"


def handed_over(source: str) -> str:
    """
    What the outboxes call a source that is handed over: no source that a worker reads can be called so.

    A long name is cut and told by its hash: outboxes have no room for it, and any key may have chosen it.
    """
    if len(source.encode()) > LONGEST:
        source = f"{source[:SHOWN_OF_LONGEST]}... {sha256(source.encode()).hexdigest()}"
    return f"{source} (put)"


def _hex(found: re.Match[str]) -> str:
    return "".join(f"_{byte:02x}" for byte in found[0].encode())
