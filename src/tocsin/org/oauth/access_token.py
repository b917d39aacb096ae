"""The org's access tokens: JWTs that only the org itself reads. Pure. Source: spec 4.3 and 3.4."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from joserfc import jws
from joserfc.jwk import RSAKey
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.org.oauth.jose import BadJose, PublicKey, read_jws

LIFE_S = 3600  # D: fixed at the org server
_TYPE = "application/okta-internal-at+jwt"
_ALGORITHM = "RS256"


class Confirmation(Struct, frozen=True):
    """What a token is bound to."""

    jkt: str
    """Thumbprint of a DPoP key."""


class AccessToken(Struct, frozen=True, kw_only=True):
    """What a token says, in the order it says it."""

    ver: int = 1
    jti: str
    iss: str
    aud: str
    sub: str
    iat: int
    exp: int
    cid: str
    scp: list[str]
    cnf: Confirmation | UnsetType = UNSET

    @property
    def thumbprint(self) -> str | None:
        """Of the key it is bound to."""
        return None if self.cnf is UNSET else self.cnf.jkt


class BadToken(NamedTuple):
    """Why a token opens nothing."""

    error: str
    description: str


INVALID = BadToken("invalid_token", "The access token is invalid.")
EXPIRED = BadToken("invalid_token", "The token has expired.")
REVOKED = BadToken("invalid_token", "The access token has been revoked.")
WRONG_ISSUER = BadToken("invalid_token", "The access token provided has an invalid issuer.")
WRONG_AUDIENCE = BadToken("invalid_token", "The access token provided is not intended for Okta.")
FROM_THE_FUTURE = BadToken("invalid_token", "The token timestamp is invalid.")
NOT_BOUND = BadToken("invalid_token", "The presented access_token is not DPoP bound.")
MISSING = BadToken("invalid_request", "The access token is missing.")


def bound(token: AccessToken, thumbprint: str) -> AccessToken:
    """`token`, which only the holder of a key may show."""
    return replace(token, cnf=Confirmation(thumbprint))


def mint(token: AccessToken, *, kid: str, key: RSAKey) -> str:
    """The JWT that says what `token` says."""
    header: dict[str, Any] = {"kid": kid, "typ": _TYPE, "alg": _ALGORITHM}
    return jws.serialize_compact(header, msgspec.json.encode(token), key, algorithms=[_ALGORITHM])


def read(text: str, key_of: Callable[[str], PublicKey | None]) -> AccessToken | None:
    """What a token of ours says, or None when it is none of ours. `key_of` gives the org's public key with this kid."""
    try:
        signed = read_jws(text)
        key = key_of(signed.header.kid or "")
        if key is None or signed.header.alg != _ALGORITHM or not signed.is_signed_by(key):
            return None
        return msgspec.json.decode(signed.payload, type=AccessToken)
    except (BadJose, msgspec.DecodeError):
        return None


def fault_of(token: AccessToken, *, issuer: str, now: float) -> BadToken | None:
    """Why `token` opens nothing at epoch second `now`, or None; that it was revoked is not known here."""
    if token.iss != issuer:
        return WRONG_ISSUER
    if token.aud != issuer:
        return WRONG_AUDIENCE
    if token.iat > now:
        return FROM_THE_FUTURE
    return EXPIRED if token.exp <= now else None
