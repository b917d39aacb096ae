"""The client assertion: how a service app proves to the token endpoint who it is. Pure: clock and ids come in.

Sources: RFC 7523 2.2 and 3; Okta's guide to OAuth for service apps (which claims, and which algorithms).
"""

from __future__ import annotations

from datetime import datetime

from tocsin.okta.oauth.keys import SigningKey

LIFE_S = 300
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_assertion(key: SigningKey, client_id: str, audience: str, *, now: datetime, jti: str) -> str:
    """
    A signed assertion that `client_id` asks for a token, good once and for five minutes.

    Args:
        audience: the URL of the token endpoint.
        now: the org's time, as well as it is known.
        jti: never used before.
    """
    from joserfc import jwt

    header = {"alg": key.alg} | ({"kid": key.kid} if key.kid else {})
    # Without `iat`: it is optional, and one from a clock that is a second fast is refused.
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": int(now.timestamp()) + LIFE_S, "jti": jti}
    return jwt.encode(header, claims, key.jwk, algorithms=[key.alg])
