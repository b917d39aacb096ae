"""Access tokens at the org's own doors, with or without a DPoP proof, and how they are refused. Source: spec 3.4, 4.5.

A refusal says all in one header and has no body, but for a 400: what those look like is not public, and ours have the
body of OAuth too. Both URIs say http, whatever the org is reached with, and the separator is a comma and a blank, as
clients parse it.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

from tocsin.org.http.errors import OAuthRefusal, Refusal
from tocsin.org.http.exchange import Exchange
from tocsin.org.oauth import access_token as tokens
from tocsin.org.oauth import dpop
from tocsin.org.oauth.access_token import AccessToken
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.jose import ALGORITHMS
from tocsin.org.oauth.refusals import OAuthRefused, invalid_request
from tocsin.org.oauth.server import AuthorizationServer, BearerRefused
from tocsin.org.principals import Need


class Challenge(NamedTuple):
    """What a refusal repeats of the request."""

    issuer: str
    scope: str
    """What the door wants, not what the token has."""
    path: str
    scheme: str = "Bearer"

    def refuse(self, status: int, error: str, description: str) -> Refusal:
        """A refusal of the request."""
        host = self.issuer.partition("://")[2]
        # The path goes into a header: nothing of it may end the quotes or the line.
        is_plain = self.path.isascii() and self.path.isprintable() and '"' not in self.path and ", " not in self.path
        parameters = {
            "authorization_uri": f"http://{host}/oauth2/v1/authorize",
            "realm": f"http://{host}",
            "scope": self.scope,
            "error": error,
            "error_description": description,
            "resource": self.path if is_plain else "/",
        }
        if self.scheme == "DPoP":
            parameters = {"algs": " ".join(ALGORITHMS), **parameters}
        value = f"{self.scheme} " + ", ".join(f'{name}="{text}"' for name, text in parameters.items())
        headers = {"www-authenticate": value, "access-control-expose-headers": "WWW-Authenticate"}
        if status == 400:
            return OAuthRefusal(status, error, description, headers=headers)
        return Refusal(status, "", description, headers=headers, empty=True)

    def refuse_as(self, refused: OAuthRefused) -> Refusal:
        """The same for what the authorization server says."""
        return self.refuse(refused.status, refused.error, refused.description)

    def lacks_scope(self) -> Refusal:
        """403: the token is good, and not for this."""
        text = "The access token provided does not contain the required scopes."
        return self.refuse(403, "insufficient_scope", text)


def refuse_in_query(exchange: Exchange, challenge: Challenge) -> None:
    """Raise Refusal (400) for an access token where proxies and logs see it."""
    if b"access_token" in exchange.query:
        names = {name for name, _ in parse_qsl(exchange.query.decode("latin-1"), keep_blank_values=True)}
        if "access_token" in names:
            raise challenge.refuse_as(invalid_request("The access token cannot be presented in a query string."))


def read_token(server: AuthorizationServer, text: str, *, now: float, challenge: Challenge) -> AccessToken:
    """The access token of `text`. Raises Refusal (401)."""
    if not text:
        raise challenge.refuse(401, *tokens.MISSING)
    try:
        return server.verify(text, now=now)
    except BearerRefused as error:
        raise challenge.refuse(401, error.error, error.description) from error


def check_plain(token: AccessToken, challenge: Challenge) -> None:
    """Raise Refusal (400) when a token that is bound to a key is shown as if it were not."""
    if token.thumbprint is not None:
        text = "The resource request must use the DPoP authentication scheme when using a DPoP bound token."
        raise challenge._replace(scheme="DPoP").refuse_as(invalid_request(text))


def check_bound(
    server: AuthorizationServer, exchange: Exchange, token: AccessToken, text: str, challenge: Challenge
) -> Proof:
    """The proof that came with a token under `DPoP`, not used up yet. Raises Refusal (400 or 401)."""
    if token.thumbprint is None:
        raise challenge.refuse(401, *tokens.NOT_BOUND)
    try:
        proof_text = dpop.only_one(exchange.all_headers(b"dpop"))
        if not proof_text:
            raise dpop.missing_at_resource()
        url = server.issuer + exchange.raw_path
        proof = server.check_proof(proof_text, method=exchange.sent_method, url=url, now=exchange.now)
        dpop.check_binding(proof, access_token=text, thumbprint=token.thumbprint)
    except OAuthRefused as error:
        raise challenge.refuse_as(error) from error
    return proof


def challenge_of(issuer: str, need: Need, path: str, scheme: str) -> Challenge:
    """What to refuse a request with."""
    return Challenge(issuer, need.scope or "", path, "DPoP" if scheme == "dpop" else "Bearer")
