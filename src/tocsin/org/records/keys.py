"""Records of the keys that the org signs access tokens with."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

KEY_TOPIC = DIRECTORY_BRANCH + "key"


class SigningKeyMade(Struct, frozen=True, tag_field="t", tag="key.made"):
    """A new signing key."""

    deed: Deed
    kid: str
    public: bytes
    """The public half, a JSON Web Key."""
    sealed: str
    """The private half, as a JWE that only the secret of the data folder opens: who reads the journal, or a copy of it,
    can sign nothing."""
    signs_from_ms: int
