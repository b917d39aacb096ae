"""The OAuth endpoints that ask for no Authorization of the org's own: token, introspect, revoke, keys, metadata.

Source: spec 4.3 and 4.4.
"""

import binascii
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from tocsin.journal import JournalError
from tocsin.org.http.access import area_of
from tocsin.org.http.doors import Door
from tocsin.org.http.errors import too_many_requests
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.in_flight import InFlight
from tocsin.org.http.oauth_views import metadata_view
from tocsin.org.oauth import dpop
from tocsin.org.oauth.assertion import ASSERTION_TYPE, named_client
from tocsin.org.oauth.metadata import CLIENT_CREDENTIALS, PUBLIC
from tocsin.org.oauth.refusals import OAuthRefused, invalid_client, invalid_request
from tocsin.org.oauth.server import AuthorizationServer, BearerRefused, Known, ShownAssertion, ShownSecret
from tocsin.org.org import Org
from tocsin.org.principals import Principal
from tocsin.org.rate_limit import RateLimits
from tocsin.org.records import Author, AuthorKind

TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path
INTROSPECT_PATH = "/oauth2/v1/introspect"
REVOKE_PATH = "/oauth2/v1/revoke"
KEYS_PATH = "/oauth2/v1/keys"
METADATA_NAMES = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_MOST_FIELDS = 64
_NOT_INDEXED = (b"x-robots-tag", b"noindex,nofollow")
_SEVERAL = (
    "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, "
    "credentials in the post body, or a client_assertion in the post body."
)
Form = dict[str, str]


class OAuthDoors:
    """The doors of one authorization server."""

    def __init__(self, org: Org, server: AuthorizationServer, limits: RateLimits, in_flight: InFlight) -> None:
        self._org, self._server, self._limits, self._in_flight = org, server, limits, in_flight
        self._in_query = org.config.oauth.token_parameters_in_query

    def doors(self) -> dict[tuple[str, str], Door]:
        """All doors, by method and path. They raise Refusal, OAuthRefused, JournalError."""
        return {
            ("POST", TOKEN_PATH): self._give_token,
            ("POST", INTROSPECT_PATH): self._introspect,
            ("POST", REVOKE_PATH): self._revoke,
            ("GET", KEYS_PATH): self._tell_keys,
            **{("GET", start + name): self._tell_metadata for start in ("", "/oauth2/{}") for name in METADATA_NAMES},
        }

    async def _give_token(self, exchange: Exchange) -> None:
        form = await self._counted_form(exchange, exchange.query if self._in_query else b"")
        _refuse_credentials_in_query(exchange.query, assertion_too=not self._in_query)
        _check_grant_type(form)
        known = self._known(exchange, form)
        proof_text = dpop.only_one(exchange.all_headers(b"dpop"))
        url = self._server.issuer + TOKEN_PATH
        proof = (
            self._server.check_proof(proof_text, method="POST", url=url, now=exchange.now)
            if proof_text is not None
            else None
        )
        issued = await self._server.issue(known, form.get("scope", ""), proof, deed=exchange.deed())
        body = {
            "token_type": "DPoP" if issued.is_bound else "Bearer",
            "expires_in": 3600,
            "access_token": issued.text,
            "scope": " ".join(issued.scopes),
        }
        headers = [_NOT_INDEXED]
        if issued.nonce is not None:
            headers.append((b"dpop-nonce", issued.nonce.encode()))
        await exchange.answer(200, msgspec.json.encode(body), headers)

    async def _introspect(self, exchange: Exchange) -> None:
        known, token = await self._known_with_token(exchange)
        await self._server.use_assertion(known, deed=exchange.deed())
        try:
            said = self._server.verify(token, now=exchange.now)
        except BearerRefused:
            return await exchange.answer(200, b'{"active":false}')
        view: dict[str, Any] = {
            "active": True,
            "token_type": "Bearer" if said.thumbprint is None else "DPoP",
            "scope": " ".join(said.scp),
            "client_id": said.cid,
            **{name: getattr(said, name) for name in ("exp", "iat", "sub", "aud", "iss", "jti")},
        }
        if said.thumbprint is not None:
            view["cnf"] = {"jkt": said.thumbprint}
        return await exchange.answer(200, msgspec.json.encode(view))

    async def _revoke(self, exchange: Exchange) -> None:
        known, token = await self._known_with_token(exchange)
        await self._server.use_assertion(known, deed=exchange.deed())
        await self._server.revoke(token, known.client, deed=exchange.deed())
        await exchange.answer(200)

    async def _tell_keys(self, exchange: Exchange) -> None:
        signing, now_ms = self._org.signing_keys, int(exchange.now * 1000)
        try:
            if signing.are_due(now_ms):
                await self._org.freshness.confirm()  # or it is known within a second that none can be made
                await signing.make(now_ms)
        except JournalError:
            if not signing.published(now_ms)[0]:
                raise
        keys, fresh_s = signing.published(now_ms)
        views = [{name: getattr(key.jwk, name) for name in ("kty", "alg", "kid", "use", "e", "n")} for key in keys]
        headers = [(b"cache-control", f"max-age={fresh_s}, must-revalidate".encode())]
        await exchange.answer(200, msgspec.json.encode({"keys": views}), headers)

    async def _tell_metadata(self, exchange: Exchange) -> None:
        view = metadata_view(self._server.issuer, sorted(self._server.known_scopes))
        await exchange.answer(200, msgspec.json.encode(view))

    async def _known_with_token(self, exchange: Exchange) -> tuple[Known, str]:
        form = await self._counted_form(exchange, b"")
        _refuse_credentials_in_query(exchange.query, assertion_too=True)
        known = self._known(exchange, form)
        if not form.get("token"):
            raise invalid_request("The 'token' parameter is required.")
        return known, form["token"]

    async def _counted_form(self, exchange: Exchange, query: bytes) -> Form:
        """The parameters of a request, which counts also when they cannot be read. Raises Refusal, OAuthRefused."""
        exchange.refuse_unmeasured()
        exchange.refuse_large()
        form: Form = {}
        try:
            with self._in_flight.one_less():
                body = await exchange.form_body()
            form = _form(body, query)
        finally:
            await self._count(exchange, form)
        return form

    async def _count(self, exchange: Exchange, form: Form) -> None:
        """One request of whoever says it is this client, at this address. Raises Refusal (429), JournalError."""
        await self._org.freshness.confirm()
        named = form.get("client_id") or named_client(form.get("client_assertion", "")) or _basic_user(exchange)
        is_known = named is not None and self._org.clients.get(named) is not None
        who = f"{named if is_known else ''} at {exchange.client_ip}"
        bucket = area_of(exchange.path).bucket
        assert bucket is not None
        exchange.grant = self._limits.take_of_stranger(bucket, who, now=self._org.clock())
        if not exchange.grant.allowed:
            raise too_many_requests()

    def _known(self, exchange: Exchange, form: Form) -> Known:
        """The client that asks, which is then the principal of the exchange. Raises OAuthRefused."""
        endpoint = self._server.issuer + exchange.path
        known = self._server.authenticate(_shown(exchange, form), endpoint=endpoint, now=exchange.now)
        exchange.principal = Principal(Author(AuthorKind.CLIENT, known.client.id, known.client.name))
        return known


def _form(body: bytes, query: bytes) -> Form:
    """The parameters of a request; the same one with the same value may stand in both. Raises OAuthRefused."""
    form: Form = {}
    for part in (query, body):
        fields = _fields(part)
        if len({name for name, _ in fields}) < len(fields) or any(form.get(n, v) != v for n, v in fields):
            raise invalid_request("The request contained multiple parameters with the same name.")
        form.update(fields)
    return form


def _fields(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise invalid_request("The request contained too many parameters.") from None


def _refuse_credentials_in_query(query: bytes, *, assertion_too: bool) -> None:
    """An assertion works once at most and for minutes; a secret works for years, and is never to be in a URL."""
    names = {name for name, _ in _fields(query)}
    if "client_secret" in names or (assertion_too and "client_assertion" in names):
        raise invalid_request("Client credentials cannot be supplied via query parameters.")


def _check_grant_type(form: Form) -> None:
    grant_type = form.get("grant_type")
    if not grant_type:
        raise invalid_request(f"The token request must specify a 'grant_type'. Valid values: [{CLIENT_CREDENTIALS}]")
    if grant_type != CLIENT_CREDENTIALS:
        raise OAuthRefused(
            400,
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server. "
            f"Configured grant types: [{CLIENT_CREDENTIALS}].",
        )


def _shown(exchange: Exchange, form: Form) -> ShownSecret | ShownAssertion:
    """What a client shows to prove who it is: one thing, in one place. Raises OAuthRefused."""
    header = exchange.header(b"authorization")
    has_assertion = "client_assertion" in form or "client_assertion_type" in form
    if sum((header is not None, "client_secret" in form, has_assertion)) > 1:
        raise invalid_request(_SEVERAL, status=401)
    if header is not None:
        return _basic(header)
    if has_assertion:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise invalid_request("The client_assertion_type is invalid.")
        return ShownAssertion(form.get("client_assertion", ""), form.get("client_id"))
    if "client_secret" in form and "client_id" in form:
        return ShownSecret(form["client_id"], form["client_secret"], "client_secret_post")
    if "client_id" in form:
        return ShownSecret(form["client_id"], "", PUBLIC)
    raise invalid_client("No client credentials found.")


def _basic(header: str) -> ShownSecret:
    scheme, _, encoded = header.strip().partition(" ")
    try:
        user, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise invalid_client("Found Authentication header but was not valid client credentials.")
    return ShownSecret(unquote_plus(user), unquote_plus(secret), "client_secret_basic")  # RFC 6749, 2.3.1


def _basic_user(exchange: Exchange) -> str | None:
    try:
        return _basic(exchange.header(b"authorization") or "").client_id
    except OAuthRefused:
        return None
