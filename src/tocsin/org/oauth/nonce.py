"""The nonce that DPoP proofs at the token endpoint carry. Pure.

It is derived from the org's secret and the day, so it needs no store, is the same on every node, and survives a
restart. Source: spec 4.5: 32 characters, renewed every 24 hours, an old one works three days.
"""

import base64
import hashlib
import hmac

_DAY_S = 24 * 3600
_GOOD_FOR_DAYS = 3
_BYTES = 24  # 32 characters


def nonce_at(secret: bytes, now: float) -> str:
    """The nonce of the day of epoch second `now`."""
    return _of_day(secret, int(now // _DAY_S))


def is_good(secret: bytes, nonce: str, now: float) -> bool:
    """Whether `nonce` was given out within the last three days."""
    today = int(now // _DAY_S)
    days = range(today, today - _GOOD_FOR_DAYS, -1)
    return nonce in {_of_day(secret, day) for day in days}


def _of_day(secret: bytes, day: int) -> str:
    digest = hmac.digest(secret, f"dpop-nonce {day}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_BYTES]).decode()
