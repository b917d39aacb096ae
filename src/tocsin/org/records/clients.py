"""Records of OAuth 2.0 clients. No secret is in them: of a client's own only a hash, of its keys the public half."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

CLIENT_TOPIC = DIRECTORY_BRANCH + "client"


class ClientMetadata(Struct, frozen=True, array_like=True):
    """What a client says about itself. Source: the dynamic client registration page (RFC 7591)."""

    client_name: str
    application_type: str
    grant_types: list[str]
    response_types: list[str]
    token_endpoint_auth_method: str
    redirect_uris: list[str]
    client_uri: str | None
    logo_uri: str | None
    dpop_bound_access_tokens: bool
    jwks: bytes
    """Its public keys, a JSON Web Key Set; empty when it has none."""


class ClientCreated(Struct, frozen=True, tag_field="t", tag="client.created"):
    """A new client."""

    deed: Deed
    id: str
    metadata: ClientMetadata
    secret_sha256: bytes | None


class ClientReplaced(Struct, frozen=True, tag_field="t", tag="client.replaced"):
    """All that a client says about itself was replaced."""

    deed: Deed
    id: str
    metadata: ClientMetadata
    secret_sha256: bytes | None


class ClientSecretRenewed(Struct, frozen=True, tag_field="t", tag="client.secret"):
    """A client has another secret, and the one before opens nothing any more."""

    deed: Deed
    id: str
    secret_sha256: bytes


class ClientDeleted(Struct, frozen=True, tag_field="t", tag="client.deleted"):
    """A client is gone, with its grants; its access tokens open nothing any more."""

    deed: Deed
    id: str
    name: str


ClientRecord = ClientCreated | ClientReplaced | ClientSecretRenewed | ClientDeleted
