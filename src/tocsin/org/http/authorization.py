"""Who asks: reads the Authorization header and finds the token's holder. OAuth access tokens are refused for now."""

from typing import NamedTuple

from tocsin.org.http.errors import Refusal, bearer_refused, invalid_session, invalid_token
from tocsin.org.org import Org
from tocsin.org.principals import Need, Principal
from tocsin.org.records import Author, AuthorKind


class Credential(NamedTuple):
    """What a request shows to be let in."""

    scheme: str
    """Lower case: `ssws` or `bearer`."""
    secret: str

    def __repr__(self) -> str:
        """Without the secret: this ends in tracebacks and logs."""
        return f"Credential(scheme={self.scheme!r}, secret=<hidden>)"


def read_credential(header: str | None) -> Credential | None:
    """The credential of an Authorization header, or None for none or a scheme that is not known."""
    text = (header or "").strip()
    if text[:4].lower() == "ssws":  # okta-sdk-python 3.0.0 leaves out the blank after it
        return Credential("ssws", text[4:].strip())
    scheme, _, secret = text.partition(" ")
    return Credential("bearer", secret.strip()) if scheme.lower() == "bearer" else None


async def authorize(org: Org, header: str | None, *, need: Need, path: str, host: str) -> Principal:
    """Whose request this is. Raises Refusal (401 or 403) when nobody's that the org knows."""
    credential = read_credential(header)
    if credential is None:
        raise invalid_session()
    if credential.scheme == "bearer":
        raise _bearer(credential.secret, need=need, path=path, host=host)
    token = await org.token_of(credential.secret)
    if token is None:
        raise invalid_token()
    return Principal(Author(AuthorKind.TOKEN, token.id, token.name), token.role)


def _bearer(secret: str, *, need: Need, path: str, host: str) -> Refusal:
    error, description = ("invalid_token", "The access token is invalid.")
    if not secret:
        error, description = ("invalid_request", "The access token is missing.")
    # The path goes into a header: nothing of it may end the quotes or the line.
    resource = path if path.isascii() and path.isprintable() and '"' not in path else "/"
    return bearer_refused(host, resource, need.scope or "", error, description)
