"""A service app, as small as it can be: keys, assertions, proofs. Its time is an argument."""

import base64
import hashlib
import secrets
from functools import cache
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Key = RSAKey | ECKey | OctKey


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> RSAKey:
    """The same key for the same number, made once: that is what takes time."""
    return RSAKey.generate_key(bits)


@cache
def ec_key(number: int = 0, crv: str = "P-256") -> ECKey:
    """The same key for the same number."""
    return ECKey.generate_key(crv)


def jwk_of(key: Key, **members: Any) -> dict[str, Any]:
    """The public half of `key`."""
    return {**key.as_dict(private=False), **members}


def sign(header: dict[str, Any], claims: object, key: Key) -> str:
    """A compact JWS that says `claims`, with whatever algorithm the header names."""
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    payload = claims if isinstance(claims, bytes) else msgspec.json.encode(claims)
    return jws.serialize_compact(header, payload, key, registry=registry)


def assertion(client_id: str, audience: str, key: Key, *, now: float, alg: str = "RS256", **claims: Any) -> str:
    """A client assertion of five minutes; a claim of None is left out. `kid` goes into the header."""
    header = {"alg": alg} | ({"kid": claims.pop("kid")} if "kid" in claims else {})
    given = {"iss": client_id, "sub": client_id, "aud": audience, "exp": int(now) + 300, "iat": int(now)}
    said = {**given, "jti": secrets.token_hex(8), **claims}
    return sign(header, {name: value for name, value in said.items() if value is not None}, key)


def proof(key: Key, url: str, *, now: float, method: str = "POST", **claims: Any) -> str:
    """A DPoP proof; a claim of None is left out. `alg`, `typ` and `jwk` go into the header."""
    alg = claims.pop("alg", "ES256" if isinstance(key, ECKey) else "RS256")
    header = {"typ": claims.pop("typ", "dpop+jwt"), "alg": alg, "jwk": claims.pop("jwk", None) or jwk_of(key)}
    said = {"htm": method, "htu": url, "iat": int(now), "jti": secrets.token_hex(8), **claims}
    return sign(header, {name: value for name, value in said.items() if value is not None}, key)


def hash_of(access_token: str) -> str:
    """What a proof says about the token it goes with."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).decode().rstrip("=")


def service_app(name: str, *keys: Key, **fields: Any) -> dict[str, Any]:
    """The registration of a service app."""
    return {
        "client_name": name,
        "application_type": "service",
        "grant_types": ["client_credentials"],
        "response_types": ["token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [jwk_of(key, kid=f"k{number}", use="sig") for number, key in enumerate(keys)]},
        **fields,
    }
