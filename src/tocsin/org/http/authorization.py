"""Who asks: reads the Authorization header and finds the token's holder, or the service app. Source: spec 3.2, 3.4."""

from typing import NamedTuple

from tocsin.org.http.bearer import (
    Challenge,
    challenge_of,
    check_bound,
    check_plain,
    read_token,
    refuse_in_query,
)
from tocsin.org.http.errors import Refusal, invalid_session, invalid_token, not_permitted
from tocsin.org.http.exchange import Exchange
from tocsin.org.oauth import dpop
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.server import AuthorizationServer, is_revoked
from tocsin.org.org import Org
from tocsin.org.principals import Need, Principal, may
from tocsin.org.records import Author, AuthorKind

_SCHEMES = ("bearer", "dpop")


class Credential(NamedTuple):
    """What a request shows to be let in."""

    scheme: str
    """Lower case: `ssws`, `bearer` or `dpop`."""
    secret: str

    def __repr__(self) -> str:
        """Without the secret: this ends in tracebacks and logs."""
        return f"Credential(scheme={self.scheme!r}, secret=<hidden>)"


class Caller(NamedTuple):
    """Whose request it is."""

    principal: Principal
    challenge: Challenge
    """What to refuse it with, when it came with an access token."""
    proof: Proof | None = None
    """What it proved to hold its key with; to be used up once it is known that the request is let in."""


def read_credential(header: str | None) -> Credential | None:
    """The credential of an Authorization header, or None for none or a scheme that is not known."""
    text = (header or "").strip()
    if text[:4].lower() == "ssws":  # okta-sdk-python 3.0.0 leaves out the blank after it
        return Credential("ssws", text[4:].strip())
    scheme, _, secret = text.partition(" ")
    return Credential(scheme.lower(), secret.strip()) if scheme.lower() in _SCHEMES else None


async def authorize(org: Org, server: AuthorizationServer, exchange: Exchange, *, need: Need) -> Caller:
    """Whose request this is. Raises Refusal (400, 401 or 403) when nobody's that the org knows."""
    credential = read_credential(exchange.header(b"authorization"))
    scheme = credential.scheme if credential is not None else ""
    challenge = challenge_of(server.issuer, need, exchange.path, scheme)
    refuse_in_query(exchange, challenge)
    if credential is None:
        raise invalid_session()
    if scheme == "ssws":
        token = await org.token_of(credential.secret)
        if token is None:
            raise invalid_token()
        return Caller(Principal(Author(AuthorKind.TOKEN, token.id, token.name), token.role), challenge)
    return _client(org, server, exchange, credential, challenge)


def check_allowed(caller: Caller, need: Need) -> None:
    """Raise Refusal (403) when `caller` may not do what needs `need`."""
    if may(caller.principal, need):
        return
    raise _not_allowed(caller, need)


def is_still_let_in(org: Org, principal: Principal) -> bool:
    """Whether what `principal` was let in with is still good: for answers that go on for long."""
    token = principal.access_token
    if token is None:
        return org.tokens.get(principal.id) is not None
    return token.exp > org.clock() and not is_revoked(org, token)


async def use_up_proof(org: Org, exchange: Exchange, caller: Caller) -> None:
    """Use up the proof of `caller`, if there is one. Raises Refusal (400) for one that was used before."""
    if caller.proof is None:
        return
    if not await org.used_proofs.use(caller.proof, now=exchange.now):
        raise caller.challenge.refuse_as(dpop.used_before())
    exchange.proof = caller.proof


def _client(
    org: Org, server: AuthorizationServer, exchange: Exchange, credential: Credential, challenge: Challenge
) -> Caller:
    token = read_token(server, credential.secret, now=exchange.now, challenge=challenge)
    proof = None
    if credential.scheme == "dpop":
        proof = check_bound(server, exchange, token, credential.secret, challenge)
    else:
        check_plain(token, challenge)
    client = org.clients.get(token.cid)
    assert client is not None  # or the token would be revoked
    author = Author(AuthorKind.CLIENT, client.id, client.name)
    principal = Principal(author, scopes=frozenset(token.scp), access_token=token)
    return Caller(principal, challenge, proof)


def _not_allowed(caller: Caller, need: Need) -> Refusal:
    if caller.principal.author.kind is not AuthorKind.CLIENT:
        return not_permitted()
    return caller.challenge.lacks_scope() if need.scope is not None else invalid_session()
