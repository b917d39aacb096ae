"""Records of grants: the scopes that a client may ask for."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

GRANT_TOPIC = DIRECTORY_BRANCH + "grant"


class GrantCreated(Struct, frozen=True, tag_field="t", tag="grant.created"):
    """A client may ask for a scope."""

    deed: Deed
    id: str
    client_id: str
    scope: str
    issuer: str


class GrantRevoked(Struct, frozen=True, tag_field="t", tag="grant.revoked"):
    """A client may ask for a scope no longer. Tokens it has keep what they say until they expire."""

    deed: Deed
    id: str
    client_id: str
    scope: str


GrantRecord = GrantCreated | GrantRevoked
