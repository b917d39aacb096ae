"""How OAuth says no: a code that clients branch on, and words that people read. Source: the OAuth error codes page."""

from tocsin.org.errors import OrgError


class OAuthRefused(OrgError):
    """A request for OAuth is refused with this answer. Nothing was issued."""

    def __init__(self, status: int, error: str, description: str, *, nonce: str | None = None) -> None:
        """`nonce` is what the next DPoP proof has to carry."""
        self.status, self.error, self.description, self.nonce = status, error, description, nonce
        super().__init__(description)


def invalid_client(description: str) -> OAuthRefused:
    """401: who asks is not known, or does not prove who it is."""
    return OAuthRefused(401, "invalid_client", description)


def invalid_request(description: str, *, status: int = 400) -> OAuthRefused:
    """400: the request cannot be understood."""
    return OAuthRefused(status, "invalid_request", description)


def invalid_scope(description: str) -> OAuthRefused:
    """400: what is asked for cannot be."""
    return OAuthRefused(400, "invalid_scope", description)


def invalid_proof(description: str) -> OAuthRefused:
    """400: a DPoP proof does not hold."""
    return OAuthRefused(400, "invalid_dpop_proof", description)


def invalid_metadata(description: str) -> OAuthRefused:
    """400: a client cannot be as it says. Source: RFC 7591, 3.2.2."""
    return OAuthRefused(400, "invalid_client_metadata", description)
