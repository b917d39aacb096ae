"""An org behind the transport that really checks assertions, proofs and tokens, and speaks of them as Okta does.

Sources: Okta's list of OAuth 2.0 errors and its DPoP guide; RFC 7523 3, RFC 9449 4.3 and 7.1.
"""

import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key

from support.okta_org import HOST, NOW

CLIENT_ID = "0oa4k2Yq8VfWn6Rsd0g7"
SEND, READ, MANAGE = "okta.riskEvents.manage", "okta.riskProviders.read", "okta.riskProviders.manage"
TOKEN_URL = f"{HOST}/oauth2/v1/token"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
KEY = ECKey.generate_key("P-256", {"kid": "k-1"})


class Refused(Exception):
    """An OAuth error answer."""

    def __init__(self, status: int, error: str, description: str = "") -> None:
        self.status, self.error, self.description = status, error, description


@dataclass
class Issued:
    """An access token, as the org remembers it."""

    scopes: list[str]
    expires_at: datetime
    thumbprint: str | None


@dataclass
class OAuthOrg:
    """
    Answers token requests and calls. Set its fields to have it behave otherwise.

    `faults` and `call_faults` are answered before anything is looked at, first to last; `while_fetching` runs within a
    token request.
    """

    granted: set[str] = field(default_factory=lambda: {SEND, READ, MANAGE})
    clock: Callable[[], datetime] = lambda: NOW
    ahead: timedelta = timedelta()
    requires_dpop: bool = False
    gives_nonce: bool = True
    life_s: int = 3600
    kid_needed: str | None = "k-1"
    key: Key = field(default_factory=lambda: KEY)
    api_nonce: str | None = None
    faults: list[httpx2.Response] = field(default_factory=list)
    call_faults: list[httpx2.Response] = field(default_factory=list)
    while_fetching: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.token_requests: list[httpx2.Request] = []
        self.calls: list[httpx2.Request] = []
        self.tokens: dict[str, Issued] = {}
        self.nonce = "nonce-1"
        self._jtis: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        is_token_request = request.url.path == "/oauth2/v1/token"
        (self.token_requests if is_token_request else self.calls).append(request)
        try:
            if is_token_request:
                self.while_fetching()
                if self.faults:
                    return self.faults.pop(0)
                with self._lock:
                    return self._answer(200, json=self._token(request))
            if self.call_faults:
                return self.call_faults.pop(0)
            with self._lock:
                self._check_call(request)
        except Refused as refused:
            return self._refusal(refused, is_token_request)
        return self._answer(202) if request.method == "POST" else self._answer(200, json=[])

    def now(self) -> datetime:
        """What time it is here."""
        return self.clock() + self.ahead

    def revoke_all(self) -> None:
        """Every token issued so far is refused from now on."""
        self.tokens.clear()

    # -- the token endpoint

    def _token(self, request: httpx2.Request) -> dict[str, Any]:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded" or request.url.query:
            raise Refused(400, "invalid_request", "The request is no form.")
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type")
        self._check_assertion(form.get("client_assertion", ""))
        thumbprint = self._thumbprint(request)
        scopes = [scope for scope in form.get("scope", "").split() if scope in self.granted]
        if not scopes:
            raise Refused(400, "consent_required", "You are not allowed any of the requested scopes.")
        value = f"token-{len(self.token_requests)}"
        self.tokens[value] = Issued(scopes, self.now() + timedelta(seconds=self.life_s), thumbprint)
        kind = "DPoP" if thumbprint else "Bearer"
        return {"token_type": kind, "expires_in": self.life_s, "access_token": value, "scope": " ".join(scopes)}

    def _check_assertion(self, assertion: str) -> None:
        try:
            found = jwt.decode(assertion, self.key, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            raise Refused(401, "invalid_client", "The client_assertion signature is invalid.") from None
        claims, now_s = found.claims, int(self.now().timestamp())
        if self.kid_needed and found.header.get("kid") != self.kid_needed:
            raise Refused(401, "invalid_client", "The client_assertion JWT kid is invalid.")
        if claims["iss"] != CLIENT_ID or claims["sub"] != CLIENT_ID:
            raise Refused(401, "invalid_client", "The issuer claim for client_assertion is not a valid client_id.")
        if claims["aud"] != TOKEN_URL:
            raise Refused(
                401, "invalid_client", "The audience claim for client_assertion must be the endpoint invoked."
            )
        if claims["exp"] <= now_s:
            raise Refused(401, "invalid_client", "The client_assertion token is expired.")
        if claims["exp"] > now_s + 3600:
            text = "The client_assertion token has an expiration too far into the future."
            raise Refused(401, "invalid_client", text)
        self._use_once(
            claims["jti"], Refused(401, "invalid_client", "The client_assertion token has already been used.")
        )

    def _thumbprint(self, request: httpx2.Request) -> str | None:
        if "DPoP" not in request.headers:
            if self.requires_dpop:
                raise Refused(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
            return None
        thumbprint, claims = self._proof(request)
        if not self.requires_dpop and not self.gives_nonce:
            return None  # as an org does that looks at no proof
        if claims.get("nonce") != self.nonce:
            raise Refused(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
        return thumbprint

    # -- the API

    def _check_call(self, request: httpx2.Request) -> None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        issued = self.tokens.get(value)
        if issued is None:
            raise Refused(401, "invalid_token", "The access token is invalid.")
        if issued.expires_at <= self.now():
            raise Refused(401, "invalid_token", "The token has expired.")
        if scheme != ("DPoP" if issued.thumbprint else "Bearer"):
            raise Refused(400, "invalid_request", "The resource request must use the DPoP authentication scheme.")
        if issued.thumbprint:
            thumbprint, claims = self._proof(request)
            ath = urlsafe_b64encode(sha256(value.encode()).digest()).rstrip(b"=").decode()
            if claims.get("ath") != ath or thumbprint != issued.thumbprint:
                raise Refused(400, "invalid_dpop_proof", "The access_token is not bound to the provided DPoP proof.")
            if self.api_nonce and claims.get("nonce") != self.api_nonce:
                raise Refused(401, "use_dpop_nonce", "Resource server requires nonce in DPoP proof.")
        needed = {("POST", "/api/v1/risk/events/ip"): {SEND}}.get((request.method, request.url.path), {READ, MANAGE})
        if needed.isdisjoint(issued.scopes):
            text = "The access token provided does not contain the required scopes."
            raise Refused(403, "insufficient_scope", text)

    # -- both

    def _proof(self, request: httpx2.Request) -> tuple[str, dict[str, Any]]:
        """RFC 9449, 4.3: the thumbprint of the key, and the claims."""
        (text,) = request.headers.get_list("DPoP")
        header = jws.extract_compact(text.encode()).headers()
        assert header["typ"] == "dpop+jwt"
        jwk = header["jwk"]
        assert "d" not in jwk
        key = JWKRegistry.import_key(jwk)
        claims = jwt.decode(text, key, algorithms=ALGORITHMS).claims
        if claims["htm"] != request.method or claims["htu"] != str(request.url):
            raise Refused(400, "invalid_dpop_proof", "'htu' claim in the DPoP proof JWT is invalid.")
        age_s = int(self.now().timestamp()) - claims["iat"]
        if age_s < 0:
            raise Refused(400, "invalid_dpop_proof", "The DPoP proof JWT is issued in the future.")
        if age_s > 300:
            text = "The DPoP proof JWT is issued more than five minutes in the past."
            raise Refused(400, "invalid_dpop_proof", text)
        self._use_once(claims["jti"], Refused(400, "invalid_dpop_proof", "The DPoP proof JWT has already been used."))
        return key.thumbprint(), claims

    def _use_once(self, jti: str, refused: Refused) -> None:
        if jti in self._jtis:
            raise refused
        self._jtis.add(jti)

    def _refusal(self, refused: Refused, is_token_request: bool) -> httpx2.Response:
        said = {"error": refused.error, "error_description": refused.description}
        if is_token_request:
            nonce = {"DPoP-Nonce": self.nonce} if refused.error == "use_dpop_nonce" else {}
            return self._answer(refused.status, json=said, headers=nonce)
        text = ", ".join(f'{name}="{value}"' for name, value in said.items())
        headers = {"WWW-Authenticate": f"Bearer {text}"}
        if refused.error == "use_dpop_nonce":
            headers["DPoP-Nonce"] = self.api_nonce or ""
        return self._answer(refused.status, headers=headers)

    def _answer(self, status: int, *, json: object = None, headers: dict[str, str] | None = None) -> httpx2.Response:
        dated = {"Date": format_datetime(self.now(), usegmt=True), **(headers or {})}
        return (
            httpx2.Response(status, json=json, headers=dated)
            if json is not None
            else httpx2.Response(status, headers=dated)
        )
