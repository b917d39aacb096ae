"""JSON objects that name a member twice. Readers differ in which of the two they believe, so the org refuses both.

RFC 8259 leaves it open, RFC 7493 (I-JSON) forbids it. Pure.
"""

import json


class _Twice(ValueError):
    """A member is named twice."""


def has_duplicate_keys(body: bytes) -> bool:
    """
    Whether any object in `body`, at any depth, names a member twice; names are compared after their escapes.

    False for what is not JSON, or nested too deeply: that is for the decoder to say.
    """
    try:
        # Numbers are not looked at: one of thousands of digits would cost time, and int() refuses it.
        json.loads(body.decode(), object_pairs_hook=_unique, parse_int=_ignored, parse_float=_ignored)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twice


def _ignored(_number: str) -> None:
    return None
