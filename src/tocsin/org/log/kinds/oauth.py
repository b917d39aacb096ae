"""OAuth clients, their grants and tokens, and the org's signing keys. Source of the event types: Okta's catalogue.

A token is shown by its id, and what was refused by the error; nothing that lets anybody in was ever in a record.
"""

from tocsin.org.log.draft import UNKNOWN, Draft, Known, Named, drafted
from tocsin.org.log.event import Outcome, Result, Target
from tocsin.org.records import (
    AccessTokenIssued,
    AccessTokenRefused,
    AccessTokenRevoked,
    ClientCreated,
    ClientDeleted,
    ClientReplaced,
    ClientSecretRenewed,
    GrantCreated,
    GrantRevoked,
    SigningKeyMade,
)

_CLIENT = "app.oauth2.client.lifecycle"


def client_created(record: ClientCreated) -> Draft:
    """A new client."""
    name = record.metadata.client_name
    return drafted(record.deed, f"{_CLIENT}.create", "Create OAuth client", _client(record.id, name))


def client_replaced(record: ClientReplaced) -> Draft:
    """A client says something else about itself."""
    name = record.metadata.client_name
    return drafted(record.deed, f"{_CLIENT}.update", "Update OAuth client", _client(record.id, name))


def client_deleted(record: ClientDeleted) -> Draft:
    """A client is gone."""
    return drafted(record.deed, f"{_CLIENT}.delete", "Delete OAuth client", _client(record.id, record.name))


def client_secret_renewed(record: ClientSecretRenewed, known: Known) -> Draft:
    """A client has another secret."""
    target = _known_client(record.id, known)
    return drafted(record.deed, "app.oauth2.credentials.lifecycle.create", "Create OAuth client credentials", target)


def grant_created(record: GrantCreated, known: Known) -> Draft:
    """A client may ask for a scope."""
    target = _known_client(record.client_id, known)
    debug = {"scope": record.scope}
    return drafted(
        record.deed, "app.oauth2.admin.consent.grant", "Grant OAuth2 consent to app", target, debug=lambda: debug
    )


def grant_revoked(record: GrantRevoked, known: Known) -> Draft:
    """A client may ask for a scope no longer."""
    target = _known_client(record.client_id, known)
    debug = {"scope": record.scope}
    return drafted(
        record.deed, "app.oauth2.admin.consent.revoke", "Revoke OAuth2 consent from app", target, debug=lambda: debug
    )


def access_token_issued(record: AccessTokenIssued) -> Draft:
    """A client got an access token."""
    debug = {**_REQUEST, "grantedScopes": ", ".join(record.scopes)}
    return drafted(
        record.deed,
        "app.oauth2.token.grant.access_token",
        "OAuth2 access token is granted",
        _access_token(record.jti),
        debug=lambda: debug,
    )


def access_token_refused(record: AccessTokenRefused) -> Draft:
    """A client got none."""
    return drafted(
        record.deed,
        "app.oauth2.token.grant",
        "OAuth2 token request",
        outcome=Outcome(Result.FAILURE, record.error),
        debug=lambda: dict(_REQUEST),
    )


def access_token_revoked(record: AccessTokenRevoked) -> Draft:
    """A client gave an access token back."""
    target = _access_token(record.jti)
    return drafted(record.deed, "app.oauth2.token.revoke", "OAuth2 token revocation request", target)


def signing_key_made(record: SigningKeyMade) -> Draft:
    """The org has another signing key."""
    target = Target(record.kid, "JsonWebKey", "unknown", record.kid)
    return drafted(record.deed, "app.oauth2.key.rollover", "Rollover OAuth2 signing key", target)


_REQUEST = {"grantType": "client_credentials", "clientAuthType": "private_key_jwt"}


def _known_client(client_id: str, known: Known) -> Target:
    named: Named = known(client_id) or UNKNOWN
    return _client(client_id, named.name)


def _client(client_id: str, name: str) -> Target:
    return Target(client_id, "PublicClientApp", client_id, name)


def _access_token(jti: str) -> Target:
    return Target(jti, "access_token", "unknown", "Access Token")
