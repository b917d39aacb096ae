"""Ids and secrets in the shapes clients expect. All from the system's random source."""

import base64
import hashlib
import secrets
import string

_BASE62 = string.digits + string.ascii_letters
_ID_CHARS = 17
_TOKEN_CHARS = 40
_SECRET_CHARS = 40
_BOUNCER_KEY_CHARS = 43


def new_id(prefix: str) -> str:
    """`prefix` and 17 base62 characters: `rkp` for a provider, `00T` for a token, `0oa` for a client."""
    return prefix + _base62(_ID_CHARS)


def new_token() -> str:
    """An API token: `00` and 40 base62 characters, 238 random bits."""
    return "00" + _base62(_TOKEN_CHARS)


def new_client_secret() -> str:
    """The secret of an OAuth client: 40 base62 characters, 238 random bits."""
    return _base62(_SECRET_CHARS)


def new_bouncer_key() -> str:
    """A bouncer's key: 43 base62 characters, 256 random bits, in the length that CrowdSec's own have."""
    return _base62(_BOUNCER_KEY_CHARS)


def token_hash(token: str) -> bytes:
    """What is kept of a token or key. It has at least 238 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).digest()


def new_access_token_id() -> str:
    """`AT.` and 36 base64url characters."""
    return "AT." + secrets.token_urlsafe(27)


def new_request_id() -> str:
    """32 lower-case hex digits."""
    return secrets.token_hex(16)


def new_error_id() -> str:
    """`oae` and 22 base64url characters."""
    return "oae" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def _base62(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))
