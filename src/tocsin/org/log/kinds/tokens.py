"""API tokens in the System Log. Source of the event types: Okta's catalogue."""

from tocsin.org.log.draft import UNKNOWN, Draft, Known, Named, drafted
from tocsin.org.log.event import Target
from tocsin.org.records import TokenCreated, TokenRevoked


def token_created(record: TokenCreated) -> Draft:
    """A new token; what it is stands nowhere."""
    target = _token(record.id, Named(record.name, record.role))
    return drafted(record.deed, "system.api_token.create", "Create API token", target, legacy_type="api.token.create")


def token_revoked(record: TokenRevoked, known: Known) -> Draft:
    """A token opens nothing any more."""
    target = _token(record.id, known(record.id) or UNKNOWN)
    return drafted(record.deed, "system.api_token.revoke", "Revoke API token", target, legacy_type="api.token.revoke")


def _token(token_id: str, token: Named) -> Target:
    detail: dict[str, object] | None = {"role": token.state} if token.state else None
    return Target(token_id, "Token", "unknown", token.name, detail)
