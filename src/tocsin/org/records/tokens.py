"""Records of API tokens."""

from enum import StrEnum

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

TOKEN_TOPIC = DIRECTORY_BRANCH + "token"


class Role(StrEnum):
    """What the holder of a token may do."""

    SUPER_ADMIN = "super_admin"
    """Everything."""
    PROVIDER_ADMIN = "provider_admin"
    """Risk providers and risk events."""
    READ_ONLY = "read_only"
    """Look, and change nothing."""


class TokenCreated(Struct, frozen=True, tag_field="t", tag="token.created"):
    """A new API token. The token itself is nowhere kept, only its hash."""

    deed: Deed
    id: str
    name: str
    sha256: bytes
    role: Role


class TokenRevoked(Struct, frozen=True, tag_field="t", tag="token.revoked"):
    """A token opens nothing any more. Its name may be given again."""

    deed: Deed
    id: str


TokenRecord = TokenCreated | TokenRevoked
