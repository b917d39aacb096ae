"""Client assertions (private_key_jwt): whether a client is who it says. Pure. Source: spec 4.3, RFC 7521 and 7523.

What is told first is what stands first: the form, the algorithm, whose it is, the key, the signature, and only then
what the claims say, for before that anybody may have written them.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from tocsin.org.oauth.jose import ALGORITHMS, BadJose, Jwk, Signed, fits, public_key, read_jws
from tocsin.org.oauth.refusals import invalid_client

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_AT_MOST_S = 3600
PRIVATE_KEY_JWT = "private_key_jwt"
AUTHENTICATION_FAILED = "Client authentication failed. Either the client or the client credentials are invalid."


class KeyedClient(Protocol):
    """What a client has to do with its assertions."""

    @property
    def auth_method(self) -> str:
        """How it said it would prove who it is."""
        ...

    @property
    def keys(self) -> Sequence[Jwk]:
        """Its public keys."""
        ...


class Claims(Struct, frozen=True):
    """What an assertion claims. Types are looked at one by one: each mistake has words of its own."""

    iss: Any = None
    sub: Any = None
    aud: Any = None
    exp: Any = None
    iat: Any = None
    nbf: Any = None
    jti: Any = None


class Assertion(NamedTuple):
    """An assertion that holds."""

    client_id: str
    jti_sha256: bytes | None
    """When it has a jti it may be used once."""
    expires_s: int


def named_client(text: str) -> str | None:
    """Who an assertion says it is of, unchecked; None when it does not."""
    try:
        issuer = _claims(read_jws(text)).iss
    except BadJose:
        return None
    return issuer if isinstance(issuer, str) else None


def check_assertion(
    text: str,
    client_of: Callable[[str], KeyedClient | None],
    *,
    audience: str,
    now: float,
    skew_s: int = 0,
) -> Assertion:
    """
    The assertion of `text`, which holds at epoch second `now`.

    Args:
        client_of: the client with this id, or None.
        audience: the URL that was called.
        skew_s: by how much a client's clock may be wrong.
    Raises: OAuthRefused.
    """
    try:
        signed = read_jws(text)
        claims = _claims(signed)
    except BadJose:
        raise invalid_client("The parsing of the client_assertion failed.") from None
    if signed.header.alg not in ALGORITHMS:
        raise invalid_client("The client_assertion JWT signature algorithm is invalid.")
    client = client_of(claims.iss) if isinstance(claims.iss, str) else None
    if client is None:
        raise invalid_client("The issuer claim for client_assertion is not a valid client_id.")
    if claims.sub != claims.iss:
        raise invalid_client("The subject claim for client_assertion is not a valid client_id.")
    _check_signature(signed, client)
    _check_claims(claims, audience=audience, now=now, skew_s=skew_s)
    jti = claims.jti
    return Assertion(claims.iss, hashlib.sha256(jti.encode()).digest() if jti is not None else None, claims.exp)


def _claims(signed: Signed) -> Claims:
    try:
        claims = msgspec.json.decode(signed.payload, type=Claims)
        if claims.jti is not None:
            claims.jti.encode()  # no text, or half a surrogate pair
    except (ValueError, RecursionError, AttributeError):
        raise BadJose("its claims are no JSON object") from None
    return claims


def _check_signature(signed: Signed, client: KeyedClient) -> None:
    if not client.keys:
        raise invalid_client("The client does not have a JWKSet configured, but the client_assertion requires one.")
    if client.auth_method != PRIVATE_KEY_JWT:
        raise invalid_client(AUTHENTICATION_FAILED)
    jwk = _chosen(client.keys, signed.header.kid)
    if jwk is None:
        raise invalid_client("The client_assertion JWT kid is invalid.")
    if not fits(jwk, signed.header.alg):
        raise invalid_client("The client_assertion JWT signature algorithm is invalid.")
    if not signed.is_signed_by(public_key(jwk)):
        raise invalid_client("The client_assertion signature is invalid.")


def _chosen(keys: Sequence[Jwk], kid: str | None) -> Jwk | None:
    """A kid may be left out when there is but one key."""
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((jwk for jwk in keys if jwk.kid == kid), None)


def _check_claims(claims: Claims, *, audience: str, now: float, skew_s: int) -> None:
    audiences = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    if audience not in audiences:
        raise invalid_client("The audience claim for client_assertion must be the endpoint invoked for the request.")
    if not _is_whole(claims.exp):
        raise invalid_client("The client_assertion must contain the 'exp' claim as seconds since epoch.")
    if claims.exp <= now - skew_s:
        raise invalid_client("The client_assertion token is expired.")
    if claims.exp > now + LIFE_AT_MOST_S + skew_s:
        raise invalid_client("The client_assertion token has an expiration too far into the future.")
    for begin in (claims.iat, claims.nbf):
        if begin is not None and not (_is_number(begin) and begin <= now + skew_s):
            raise invalid_client("The client_assertion token must be issued before the current time.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
