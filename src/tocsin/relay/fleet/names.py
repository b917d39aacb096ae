"""Names of targets, sources and workers as single words of a topic or a key; and of what is handed over. Pure."""

import re
from hashlib import sha256

from tocsin.relay.intake import SOURCE_BYTES

SHOWN_OF_LONGEST = 50
"""Characters that are shown of a name that is too long."""
_ESCAPED = re.compile(r"[^A-Za-z0-9-]")


def word(name: str) -> str:
    """`name` with all but letters, digits and `-` as `_` and two hexadecimal digits a byte: no two names share one."""
    return _ESCAPED.sub(_hex, name) or "_"


def handed_over(source: str) -> str:
    """
    What the outboxes call a source that is handed over: no source that a worker reads can be called so.

    One that is too long is cut and told by its hash: a program of another's making may have written it.
    """
    if len(source.encode()) > SOURCE_BYTES:
        source = f"{source[:SHOWN_OF_LONGEST]}... {sha256(source.encode()).hexdigest()}"
    return f"{source} (put)"


def _hex(found: re.Match[str]) -> str:
    return "".join(f"_{byte:02x}" for byte in found[0].encode())
