"""DPoP proofs: that whoever shows a token also holds its key. Pure. Source: spec 4.5 and 3.4, RFC 9449.

A proof is good from when it was made until five minutes later, and once. That it was not used before is asked of
`proofs`, by the digest that is told here.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from tocsin.org.oauth.jose import ALGORITHMS, BadJose, Signed, fits, has_private_parts, public_key, read_jwk, read_jws
from tocsin.org.oauth.refusals import OAuthRefused, invalid_proof, invalid_request

TYPE = "dpop+jwt"
GOOD_FOR_S = 300
_INVALID = "The DPoP proof JWT is invalid."
_PORTS = {"http": 80, "https": 443}


class _Claims(Struct, frozen=True):
    htm: Any = None
    htu: Any = None
    iat: Any = None
    jti: Any = None
    ath: Any = None
    nonce: Any = None


class Proof(NamedTuple):
    """A proof that holds, if it was not used before."""

    thumbprint: str
    """Of its key (RFC 7638): what a token is bound to."""
    digest: bytes
    """Of key and jti: what must not come again."""
    issued_s: float
    """Epoch seconds."""
    access_token_hash: str | None
    nonce: str | None


def only_one(headers: Sequence[str]) -> str | None:
    """The one DPoP header of a request, or None. Raises OAuthRefused for several, also for several in one."""
    values = [value for header in headers for value in header.split(",")]
    if len(values) > 1:
        raise invalid_proof("Multiple DPoP proof JWT headers are not allowed.")
    return values[0].strip() if values else None


def check_proof(text: str, *, method: str, url: str, now: float, skew_s: int = 0) -> Proof:
    """
    The proof of `text`, made for a request with `method` to `url`, at epoch second `now`.

    Args:
        url: as clients know it; a query counts on neither side.
        skew_s: by how much a client's clock may be ahead.
    Raises: OAuthRefused.
    """
    try:
        signed = read_jws(text)
        claims = msgspec.json.decode(signed.payload, type=_Claims)
    except (ValueError, RecursionError):
        raise invalid_proof(_INVALID) from None
    if (signed.header.typ or "").lower() != TYPE:
        raise invalid_proof("'typ' must be 'dpop+jwt' in the DPoP proof JWT.")
    thumbprint = _signer(signed)
    if claims.htm != method:
        raise invalid_proof("'htm' claim in the DPoP proof JWT is invalid.")
    if not (isinstance(claims.htu, str) and _place(claims.htu) == _place(url)):
        raise invalid_proof("'htu' claim in the DPoP proof JWT is invalid.")
    _check_age(claims.iat, now=now, skew_s=skew_s)
    if not (isinstance(claims.jti, str) and claims.jti):
        raise invalid_proof("'jti' claim in the DPoP proof JWT is invalid.")
    digest = hashlib.sha256(f"{thumbprint}.{claims.jti}".encode("utf-8", "surrogatepass")).digest()
    return Proof(thumbprint, digest, claims.iat, _text(claims.ath), _text(claims.nonce))


def check_binding(proof: Proof, *, access_token: str, thumbprint: str) -> None:
    """Raises OAuthRefused, when `proof` was not made for `access_token`, or not with the key it is bound to."""
    if not hmac.compare_digest((proof.access_token_hash or "").encode(), access_token_hash(access_token).encode()):
        raise invalid_proof("'ath' claim in the DPoP proof JWT does not match the presented access_token.")
    if proof.thumbprint != thumbprint:
        raise invalid_proof("The access_token is not bound to the provided DPoP proof.")


def used_before() -> OAuthRefused:
    """A proof has come a second time."""
    return invalid_proof("The DPoP proof JWT has already been used.")


def missing_at_resource() -> OAuthRefused:
    """A token that is bound to a key came without a proof."""
    return invalid_request("The resource request requires a DPoP proof.")


def missing_at_token() -> OAuthRefused:
    """A client whose tokens must be bound asked without a proof."""
    return invalid_proof("The DPoP proof JWT header is missing.")


def nonce_needed(nonce: str) -> OAuthRefused:
    """A proof for the token endpoint has no nonce of ours, or an old one."""
    return OAuthRefused(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.", nonce=nonce)


def access_token_hash(access_token: str) -> str:
    """What a proof's `ath` has to be."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).decode().rstrip("=")


def _signer(signed: Signed) -> str:
    """The thumbprint of the key in the header, which signed. Raises OAuthRefused."""
    raw, algorithm = signed.header.jwk, signed.header.alg
    if raw is None or has_private_parts(raw) or algorithm not in ALGORITHMS:
        raise invalid_proof(_INVALID)
    try:
        jwk = read_jwk(raw)
    except BadJose:
        raise invalid_proof(_INVALID) from None
    if not fits(jwk, algorithm):
        raise invalid_proof(_INVALID)
    key = public_key(jwk)
    if not signed.is_signed_by(key):
        raise invalid_proof("The DPoP proof JWT signature is invalid.")
    return key.thumbprint()


def _check_age(iat: object, *, now: float, skew_s: int) -> None:
    if not isinstance(iat, int | float) or isinstance(iat, bool):
        raise invalid_proof("'iat' claim in the DPoP proof JWT is invalid.")
    if iat > now + skew_s:
        raise invalid_proof("The DPoP proof JWT is issued in the future.")
    if iat < now - GOOD_FOR_S:
        raise invalid_proof("The DPoP proof JWT is issued more than five minutes in the past.")


def _place(url: str) -> tuple[str, str, int | None, str] | None:
    """Where `url` leads, without query and fragment, however it is spelt: case, default port, percent signs."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port, unquote(parts.path) or "/"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.isascii() else None
