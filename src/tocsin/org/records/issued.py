"""Records of access tokens: issued, refused, revoked. No token is in them, only its id.

Each client has a topic of its own, and an append names the last entry that its decision knew: an assertion that may be
used once is used once, whichever process or node is asked. All of them are past their use two hours after they were
written, but for the System Log.
"""

from msgspec import Struct

from tocsin.org.records.branches import ISSUED_BRANCH
from tocsin.org.records.deed import Deed


class UsedAssertion(Struct, frozen=True, array_like=True):
    """A client assertion that may not be used again."""

    sha256: bytes
    """Of its jti."""
    until_ms: int
    """When it expires."""


class AccessTokenIssued(Struct, frozen=True, tag_field="t", tag="token.issued"):
    """A client got an access token."""

    deed: Deed
    client_id: str
    jti: str
    scopes: list[str]
    expires_ms: int
    key_thumbprint: str | None
    """Of the DPoP key it is bound to (RFC 9449)."""
    used: UsedAssertion | None


class AccessTokenRefused(Struct, frozen=True, tag_field="t", tag="token.refused"):
    """A client proved who it is and still got no access token."""

    deed: Deed
    client_id: str
    error: str
    description: str
    used: UsedAssertion | None


class AssertionUsed(Struct, frozen=True, tag_field="t", tag="assertion.used"):
    """A client proved who it is at another endpoint than that for tokens."""

    deed: Deed
    client_id: str
    used: UsedAssertion


class AccessTokenRevoked(Struct, frozen=True, tag_field="t", tag="token.withdrawn"):
    """A client gave an access token back."""

    deed: Deed
    client_id: str
    jti: str
    expires_ms: int


IssuedRecord = AccessTokenIssued | AccessTokenRefused | AssertionUsed | AccessTokenRevoked


def issued_topic(client_id: str) -> str:
    """The topic of what one client got."""
    return ISSUED_BRANCH + client_id
