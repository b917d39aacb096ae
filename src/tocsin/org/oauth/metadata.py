"""What a client may say about itself when it is registered. Pure. Source: spec 4.1, RFC 7591."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.org.oauth.assertion import PRIVATE_KEY_JWT
from tocsin.org.oauth.jose import BadJose, Jwk, WeakKey, read_jwk
from tocsin.org.oauth.refusals import OAuthRefused, invalid_metadata
from tocsin.org.records import ClientMetadata

SERVICE = "service"
CLIENT_CREDENTIALS = "client_credentials"
SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})
PUBLIC = "none"
"""The authentication method of a client that has nothing to prove who it is with."""
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", PRIVATE_KEY_JWT, PUBLIC)
RESPONSE_TYPES = ("code", "token", "id_token")
_APPLICATION_TYPES = ("web", "native", "browser", SERVICE)
_SERVICE_GRANTS = (
    CLIENT_CREDENTIALS,
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:okta:params:oauth:grant-type:otp",
    "urn:okta:params:oauth:grant-type:oob",
)
_GRANT_TYPES = (
    *_SERVICE_GRANTS,
    "authorization_code",
    "implicit",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
_MOST_KEYS = 50
_MOST_URIS = 50  # ours
_MOST_CHARS = 1024  # ours, of a URI or a kid
_NAME_CHARS = 100  # ours


class KeySetBody(Struct, frozen=True):
    """A JSON Web Key Set as it is sent."""

    keys: list[dict[str, Any]]


class ClientBody(Struct, frozen=True):
    """A client as it is sent. Null and absent are the same; what is not known is not looked at."""

    client_name: str | None = None
    application_type: str | None = None
    grant_types: list[str] | None = None
    response_types: list[str] | None = None
    token_endpoint_auth_method: str | None = None
    redirect_uris: list[str] | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    jwks: KeySetBody | None = None
    jwks_uri: str | None = None
    dpop_bound_access_tokens: bool | None = None


def checked(body: ClientBody) -> ClientMetadata:
    """The metadata of `body`, with what it leaves out. Raises OAuthRefused (400)."""
    name = (body.client_name or "").strip()
    if not name:
        raise invalid_metadata("client_name: The field cannot be left blank")
    kind = body.application_type or "web"
    is_service = kind == SERVICE
    grants = body.grant_types or [CLIENT_CREDENTIALS if is_service else "authorization_code"]
    responses = body.response_types or ["token" if is_service else "code"]
    method = body.token_endpoint_auth_method or "client_secret_basic"
    uris = [*(body.redirect_uris or []), body.client_uri or "", body.logo_uri or ""]
    for field, is_right in (
        ("client_name", len(name) <= _NAME_CHARS and name.isprintable()),
        ("application_type", kind in _APPLICATION_TYPES),
        ("grant_types", set(grants).issubset(_SERVICE_GRANTS if is_service else _GRANT_TYPES)),
        ("response_types", set(responses).issubset((*RESPONSE_TYPES, "none"))),
        ("token_endpoint_auth_method", method in AUTH_METHODS),
        ("redirect_uris", len(uris) <= _MOST_URIS and all(len(uri) <= _MOST_CHARS for uri in uris)),
    ):
        if not is_right:
            raise invalid_metadata(f"{field}: The field has an invalid value")
    if body.jwks_uri is not None:
        # To fetch from wherever a client says is to be sent around inside one's own network.
        raise invalid_metadata("jwks_uri: This org takes keys only in 'jwks'.")
    return ClientMetadata(
        client_name=name,
        application_type=kind,
        grant_types=_once(grants),
        response_types=_once(responses),
        token_endpoint_auth_method=method,
        redirect_uris=body.redirect_uris or [],
        client_uri=body.client_uri,
        logo_uri=body.logo_uri,
        dpop_bound_access_tokens=bool(body.dpop_bound_access_tokens),
        jwks=_checked_keys(body.jwks) if body.jwks is not None else b"",
    )


@lru_cache(maxsize=256)
def keys_of(jwks: bytes) -> tuple[Jwk, ...]:
    """The keys of a client's metadata."""
    return msgspec.json.decode(jwks, type=tuple[Jwk, ...]) if jwks else ()


def _checked_keys(jwks: KeySetBody) -> bytes:
    if len(jwks.keys) > _MOST_KEYS:
        raise invalid_metadata(f"The 'jwks' may not hold more than {_MOST_KEYS} keys.")
    keys = [_checked_key(raw) for raw in jwks.keys]
    if len({jwk.kid for jwk in keys}) < len(keys) or (len(keys) > 1 and any(jwk.kid is None for jwk in keys)):
        raise invalid_metadata("All keys in the 'jwks' must have a unique 'kid'.")
    return msgspec.json.encode(keys) if keys else b""


def _checked_key(raw: dict[str, Any]) -> Jwk:
    try:
        jwk = read_jwk(raw)
    except WeakKey:
        raise invalid_metadata("RSA key length in the 'jwks' is less than '2,048' bits for the given key.") from None
    except BadJose as error:
        raise _bad_key(str(error)) from None
    if max(len(jwk.kid or ""), len(jwk.alg or ""), len(jwk.use or "")) > _MOST_CHARS:
        raise _bad_key("its text is too long")
    return jwk


def _bad_key(why: str) -> OAuthRefused:
    return invalid_metadata(f"A key in the 'jwks' cannot be used: {why}")


def _once(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))
