"""The org's authorization server: thin. It reads what is known, asks the pure modules, and journals what they say."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple, Protocol

from joserfc.jwk import RSAKey

from tocsin.journal import JournalError, JournalUnreachable
from tocsin.org.config import OAuth
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_access_token_id
from tocsin.org.oauth import access_token as tokens
from tocsin.org.oauth import dpop
from tocsin.org.oauth.access_token import AccessToken, BadToken
from tocsin.org.oauth.assertion import AUTHENTICATION_FAILED, PRIVATE_KEY_JWT, check_assertion
from tocsin.org.oauth.clients import Client, Clients
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.grants import Grants
from tocsin.org.oauth.issued import Issued
from tocsin.org.oauth.keys import SigningKeys
from tocsin.org.oauth.metadata import CLIENT_CREDENTIALS, PUBLIC, SERVICE
from tocsin.org.oauth.nonce import is_good, nonce_at
from tocsin.org.oauth.refusals import OAuthRefused, invalid_client
from tocsin.org.oauth.scopes import narrowed
from tocsin.org.records import (
    AccessTokenIssued,
    AccessTokenRefused,
    AccessTokenRevoked,
    AssertionUsed,
    Deed,
    UsedAssertion,
)
from tocsin.org.stores import Proofs

_MOST_VERIFIED = 4096


class ShownSecret(NamedTuple):
    """A client shows its secret."""

    client_id: str
    secret: str
    method: str
    """`client_secret_basic` or `client_secret_post`; `none` for a client that has no secret."""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ShownSecret({self.client_id!r}, <hidden>, {self.method!r})"


class ShownAssertion(NamedTuple):
    """A client shows an assertion."""

    text: str
    client_id: str | None
    """As a parameter of its own, which is not needed."""

    def __repr__(self) -> str:
        """Without the assertion: until it has expired it lets in."""
        return f"ShownAssertion(<hidden>, {self.client_id!r})"


class Known(NamedTuple):
    """A client that has proved who it is, and the assertion that it used for it, if it may be used once."""

    client: Client
    used: UsedAssertion | None


class IssuedToken(NamedTuple):
    """A new access token."""

    text: str
    scopes: list[str]
    is_bound: bool
    nonce: str | None
    """For the next proof."""

    def __repr__(self) -> str:
        """Without the token."""
        return f"IssuedToken(<hidden>, {self.scopes!r})"


class BearerRefused(OrgError):
    """An access token opens nothing."""

    def __init__(self, why: BadToken) -> None:
        self.error, self.description = why
        super().__init__(why.description)


class OAuthOrg(Protocol):
    """What the authorization server needs of its org."""

    clients: Clients
    grants: Grants
    issued: Issued
    signing_keys: SigningKeys
    used_proofs: Proofs
    secret: bytes


def is_revoked(org: OAuthOrg, token: AccessToken) -> bool:
    """Whether `token` was revoked, by itself or with its client."""
    return org.issued.is_revoked(token.jti) or org.clients.get(token.cid) is None


class AuthorizationServer:
    """OAuth 2.0 of one org, as it is known from outside."""

    def __init__(self, org: OAuthOrg, *, issuer: str, known_scopes: Collection[str], settings: OAuth) -> None:
        """
        Args:
            issuer: where clients reach the org, without a slash at the end.
            known_scopes: all that may be granted.
        """
        self.issuer, self.known_scopes = issuer, frozenset(known_scopes)
        self._org, self._settings = org, settings
        self._nonce_secret = hmac.digest(org.secret, b"nonce", hashlib.sha256)
        self._verified: OrderedDict[bytes, AccessToken] = OrderedDict()

    def authenticate(self, shown: ShownSecret | ShownAssertion, *, endpoint: str, now: float) -> Known:
        """Who shows this at `endpoint` (a URL), at epoch second `now`. Raises OAuthRefused."""
        if isinstance(shown, ShownAssertion):
            return self._by_assertion(shown, endpoint, now)
        client = self._org.clients.get(shown.client_id)
        if client is None:
            raise invalid_client("Invalid value for 'client_id' parameter.")
        if client.auth_method != shown.method:
            raise invalid_client(AUTHENTICATION_FAILED)
        if client.auth_method == PUBLIC:
            return Known(client, None)
        if not client.has_secret(shown.secret):
            raise invalid_client("The client secret supplied for a confidential client is invalid.")
        return Known(client, None)

    def check_proof(self, text: str, *, method: str, url: str, now: float) -> Proof:
        """The DPoP proof of a request, if it holds. It is not used up yet. Raises OAuthRefused."""
        return dpop.check_proof(text, method=method, url=url, now=now, skew_s=self._settings.proof_skew_s)

    async def issue(self, known: Known, scope: str, proof: Proof | None, *, deed: Deed) -> IssuedToken:
        """
        An access token for a client that asks for `scope`, bound to the key of `proof` if that has a nonce of ours.

        Raises: OAuthRefused, which is journaled with its assertion used up; JournalError.
        """
        if known.client.auth_method != PRIVATE_KEY_JWT:
            raise invalid_client(
                "Client Credentials requests to the Org Authorization Server must use the private_key_jwt "
                "token_endpoint_auth_method."
            )
        # Before an assertion is used up: what can fail without using it up has to.
        signer = await self._org.signing_keys.signer(deed.at_ms)
        now, client_id = deed.at_ms / 1000, known.client.id
        nonce, has_nonce = nonce_at(self._nonce_secret, now), self._has_nonce(proof, now)
        # Clients send a proof with every request; that they will use it they say by answering with a nonce.
        bound_to = proof if proof is not None and has_nonce else None
        if bound_to is not None and not await self._org.used_proofs.use(bound_to, now=now):
            raise dpop.used_before()
        refused: list[OAuthRefused] = []

        def decide() -> AccessTokenIssued | AccessTokenRefused:
            try:
                scopes = self._allowed(client_id, scope)
                self._refuse_unbound(client_id, proof, has_nonce=has_nonce, nonce=nonce)
            except OAuthRefused as error:
                refused[:] = [error]
                return AccessTokenRefused(deed, client_id, error.error, error.description, known.used)
            refused.clear()
            expires_ms = (int(now) + tokens.LIFE_S) * 1000
            thumbprint = bound_to.thumbprint if bound_to is not None else None
            return AccessTokenIssued(deed, client_id, new_access_token_id(), scopes, expires_ms, thumbprint, known.used)

        try:
            record = await self._org.issued.answer(client_id, known.used, decide)
        except JournalUnreachable:
            raise  # it may be journaled: then the proof was of use
        except JournalError:
            if bound_to is not None:
                await self._org.used_proofs.take_back(bound_to)  # clients send the same again after a 503
            raise
        if isinstance(record, AccessTokenRefused):
            raise refused[0]
        return self._signed(record, *signer, nonce=nonce if bound_to is not None else None)

    async def use_assertion(self, known: Known, *, deed: Deed) -> None:
        """Use up what a client has proved with, elsewhere than where tokens are issued. Raises OAuthRefused."""
        if known.used is not None:
            await self._org.issued.use(AssertionUsed(deed, known.client.id, known.used))

    def verify(self, text: str, *, now: float) -> AccessToken:
        """
        What an access token says that opens something at epoch second `now`. Raises BearerRefused.

        A signature is checked once, for a hot door sees the same token again and again; the rest is, each time.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        token = self._verified.get(digest)
        if token is None:
            token = tokens.read(text, lambda kid: self._org.signing_keys.public(kid, int(now * 1000)))
            if token is None:
                raise BearerRefused(tokens.INVALID)
            self._verified[digest] = token
            if len(self._verified) > _MOST_VERIFIED:
                self._verified.popitem(last=False)
        if (fault := tokens.fault_of(token, issuer=self.issuer, now=now)) is not None:
            raise BearerRefused(fault)
        if is_revoked(self._org, token):
            raise BearerRefused(tokens.REVOKED)
        return token

    async def revoke(self, text: str, client: Client, *, deed: Deed) -> None:
        """Revoke an access token of `client`; what is none, or none of its own, is left alone. Raises JournalError."""
        try:
            token = self.verify(text, now=deed.at_ms / 1000)
        except BearerRefused:
            return
        if token.cid == client.id:
            await self._org.issued.revoke(AccessTokenRevoked(deed, client.id, token.jti, token.exp * 1000))

    def _by_assertion(self, shown: ShownAssertion, endpoint: str, now: float) -> Known:
        assertion = check_assertion(
            shown.text,
            self._org.clients.get,
            audience=endpoint,
            now=now,
            skew_s=self._settings.assertion_skew_s,
        )
        if shown.client_id not in (None, assertion.client_id):
            raise invalid_client("Invalid value for 'client_id' parameter.")
        client = self._org.clients.get(assertion.client_id)
        assert client is not None
        jti = assertion.jti_sha256
        until_ms = (assertion.expires_s + self._settings.assertion_skew_s) * 1000
        return Known(client, UsedAssertion(jti, until_ms) if jti is not None else None)

    def _allowed(self, client_id: str, scope: str) -> list[str]:
        """Raises OAuthRefused."""
        client = self._org.clients.get(client_id)
        if client is None:  # deleted meanwhile
            raise invalid_client(AUTHENTICATION_FAILED)
        if client.metadata.application_type != SERVICE:
            raise invalid_client(
                "Only clients with 'application_type' of 'service' may use the client_credentials 'grant_type' "
                "with the Org Authorization Server."
            )
        if CLIENT_CREDENTIALS not in client.metadata.grant_types:
            listed = ", ".join(client.metadata.grant_types)
            text = f"The client is not authorized to use the provided grant type. Configured grant types: [{listed}]."
            raise OAuthRefused(400, "unauthorized_client", text)
        return narrowed(scope, known=self.known_scopes, granted=self._org.grants.scopes_of(client_id))

    def _has_nonce(self, proof: Proof | None, now: float) -> bool:
        return proof is not None and proof.nonce is not None and is_good(self._nonce_secret, proof.nonce, now)

    def _refuse_unbound(self, client_id: str, proof: Proof | None, *, has_nonce: bool, nonce: str) -> None:
        """Raises OAuthRefused for a token that has to be bound and cannot, or a nonce that is not good any more."""
        client = self._org.clients.get(client_id)
        must = client is not None and client.metadata.dpop_bound_access_tokens
        if proof is None and must:
            raise dpop.missing_at_token()
        if proof is not None and not has_nonce and (must or proof.nonce is not None):
            raise dpop.nonce_needed(nonce)

    def _signed(self, record: AccessTokenIssued, kid: str, key: RSAKey, *, nonce: str | None) -> IssuedToken:
        expires_s = record.expires_ms // 1000
        token = AccessToken(
            jti=record.jti,
            iss=self.issuer,
            aud=self.issuer,
            sub=record.client_id,
            iat=expires_s - tokens.LIFE_S,
            exp=expires_s,
            cid=record.client_id,
            scp=record.scopes,
        )
        is_bound = record.key_thumbprint is not None
        if record.key_thumbprint is not None:
            token = tokens.bound(token, record.key_thumbprint)
        return IssuedToken(tokens.mint(token, kid=kid, key=key), record.scopes, is_bound, nonce)
