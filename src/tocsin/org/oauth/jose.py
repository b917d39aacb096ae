"""The one door to joserfc: reading what is signed, and public keys. Pure.

Algorithms are an allow-list, and a key fits the algorithm or it does not count: `none` and HS256 with a public key as
its secret are not refused one by one, there is no way to them.
"""

import binascii
from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Annotated

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from msgspec import Meta, Struct

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192  # ours: checking a signature takes the longer the larger the key, and it is the sender's
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_MOST_JWS_BYTES = 16 * 1024
_MOST_HEADER_BYTES = 4096  # an RSA key of 8192 bits, and the rest of a proof's header

PublicKey = RSAKey | ECKey
_BASE64URL = r"^[A-Za-z0-9_-]+$"
_Number = Annotated[str, Meta(pattern=_BASE64URL, max_length=1400)]


class BadJose(ValueError):
    """It is not what it should be."""


class WeakKey(BadJose):
    """An RSA key that is too short."""


class Jwk(Struct, frozen=True):
    """A public key of ours, a client's or a proof's: what is known of a JSON Web Key, without its private parts."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    e: Annotated[str, Meta(pattern=_BASE64URL, max_length=8)] | None = None
    n: _Number | None = None
    crv: str | None = None
    x: _Number | None = None
    y: _Number | None = None


class Header(Struct, frozen=True):
    """What is known of a JOSE header."""

    alg: str
    kid: str | None = None
    typ: str | None = None
    jwk: dict[str, object] | None = None
    crit: object = None


class Signed(Struct, frozen=True):
    """What a compact JWS says; nothing of it is true before its signature is checked."""

    header: Header
    payload: bytes
    form: jws.CompactSignature

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether `key` signed it."""
        try:
            return jws.validate_compact(self.form, key, registry=_REGISTRY)
        except (JoseError, ValueError):
            return False


def _registry() -> jws.JWSRegistry:
    # Members that are not known are ignored (RFC 7515, 4); those of `crit` are not, and none is known.
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = _MOST_HEADER_BYTES
    return registry


_REGISTRY = _registry()


def read_jws(text: str) -> Signed:
    """What a compact JWS says. Raises BadJose."""
    try:
        if len(text) > _MOST_JWS_BYTES:
            raise BadJose("it is too long")
        form = jws.extract_compact(text.encode("ascii"), registry=_REGISTRY)
        header = msgspec.convert(form.headers(), Header)
    except (JoseError, ValueError, RecursionError) as error:
        raise BadJose(str(error)) from None
    if header.crit is not None:
        raise BadJose("it asks for an extension")
    return Signed(header, form.payload, form)


def read_jwk(raw: object) -> Jwk:
    """A public key, which is one. Raises BadJose, of it WeakKey."""
    try:
        jwk = msgspec.convert(raw, Jwk)
    except ValueError as error:
        raise BadJose(str(error)) from None
    public_key(jwk)
    return jwk


@lru_cache(maxsize=1024)
def public_key(jwk: Jwk) -> PublicKey:
    """The key of `jwk`. Raises BadJose, of it WeakKey."""
    try:
        match jwk:
            case Jwk(kty="RSA", n=str(n), e=str(e)):
                _check_rsa_length(n)
                return RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
            case Jwk(kty="EC", crv=str(crv), x=str(x), y=str(y)) if crv in _CURVES.values():
                return ECKey.import_key({"kty": "EC", "crv": crv, "x": x, "y": y})
    except (JoseError, binascii.Error) as error:
        raise BadJose(str(error)) from None
    except ValueError as error:
        raise error if isinstance(error, BadJose) else BadJose(str(error)) from None
    raise BadJose("it is no RSA key, and no EC key on a curve that is known")


def fits(jwk: Jwk, algorithm: str) -> bool:
    """Whether `jwk` is a key for `algorithm`, and for signatures."""
    if jwk.use not in (None, "sig") or jwk.alg not in (None, algorithm) or algorithm not in ALGORITHMS:
        return False
    return jwk.kty == "RSA" if algorithm.startswith("RS") else jwk.crv == _CURVES[algorithm]


def has_private_parts(raw: dict[str, object]) -> bool:
    """Whether a JSON Web Key tells more than the public may know."""
    return not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}.isdisjoint(raw)


def _check_rsa_length(modulus: str) -> None:
    bits = int.from_bytes(urlsafe_b64decode(modulus + "==")).bit_length()
    if bits < LEAST_RSA_BITS:
        raise WeakKey("the RSA key is too short")
    if bits > MOST_RSA_BITS:
        raise BadJose("the RSA key is too long")
