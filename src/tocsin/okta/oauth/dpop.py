"""DPoP proofs (RFC 9449): that who sends a token holds the key it is bound to. Pure: clock and ids come in."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tocsin.okta.error_body import okta_error
from tocsin.okta.rest_response import RESTResponse

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

ALGORITHM = "ES256"


def proof(
    key: ECKey,
    method: str,
    url: str,
    *,
    now: datetime,
    jti: str,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """
    A signed proof for one request, good once (RFC 9449, 4.2).

    Args:
        key: on P-256.
        now: the org's time, as well as it is known.
        jti: never used before.
        nonce: the last one the org gave, if any.
        access_token: the token the request carries; None at the token endpoint.
    """
    from joserfc import jwt

    header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": key.as_dict(private=False)}
    claims: dict[str, Any] = {"htm": method, "htu": without_query(url), "iat": int(now.timestamp()), "jti": jti}
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = urlsafe_b64encode(sha256(access_token.encode()).digest()).rstrip(b"=").decode()
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


def without_query(url: str) -> str:
    """The URL as `htu` has it."""
    return url.partition("#")[0].partition("?")[0]


def refusal(answer: RESTResponse) -> str | None:
    """`use_dpop_nonce` or `invalid_dpop_proof`, when the answer refuses a proof or the want of one."""
    if answer.status not in (400, 401):
        return None
    said = okta_error(answer.data, answer.headers)
    code = said.error_code if said else None
    return code if code in ("use_dpop_nonce", "invalid_dpop_proof") else None
