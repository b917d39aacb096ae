"""The JSON of OAuth clients, grants and metadata. Source: spec 4.1, 4.2, 4.4."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from tocsin.org.oauth.clients import Client
from tocsin.org.oauth.grants import Grant
from tocsin.org.oauth.jose import ALGORITHMS, Jwk
from tocsin.org.oauth.metadata import AUTH_METHODS, CLIENT_CREDENTIALS, RESPONSE_TYPES
from tocsin.signals import format_timestamp, from_ms

CLIENTS_PATH = "/oauth2/v1/clients"
APPS_PATH = "/api/v1/apps"


class ClientView(Struct, frozen=True):
    """An OAuth client; its secret only in the one answer that tells it."""

    client_id: str
    client_id_issued_at: int
    client_name: str
    client_uri: str | None
    logo_uri: str | None
    redirect_uris: list[str]
    response_types: list[str]
    grant_types: list[str]
    token_endpoint_auth_method: str
    application_type: str
    client_secret: str | UnsetType = UNSET
    client_secret_expires_at: int | UnsetType = UNSET
    jwks: dict[str, list[dict[str, str | None]]] | UnsetType = UNSET
    dpop_bound_access_tokens: bool | UnsetType = UNSET


class GrantView(Struct, frozen=True, rename="camel"):
    """A grant."""

    id: str
    status: str
    created: str
    created_by: dict[str, str]
    last_updated: str
    issuer: str
    client_id: str
    scope_id: str
    source: str
    links: dict[str, Any] = field(name="_links")
    embedded: dict[str, Any] | UnsetType = field(name="_embedded", default=UNSET)


def client_view(client: Client, secret: str | None = None) -> ClientView:
    """`client` as others may see it, with its `secret` where that is told."""
    said = client.metadata
    return ClientView(
        client_id=client.id,
        client_id_issued_at=client.created_ms // 1000,
        client_name=said.client_name,
        client_uri=said.client_uri,
        logo_uri=said.logo_uri,
        redirect_uris=said.redirect_uris,
        response_types=said.response_types,
        grant_types=said.grant_types,
        token_endpoint_auth_method=said.token_endpoint_auth_method,
        application_type=said.application_type,
        client_secret=secret if secret is not None else UNSET,
        client_secret_expires_at=0 if client.secret_sha256 is not None else UNSET,
        jwks={"keys": [_key_view(jwk) for jwk in client.keys]} if client.keys else UNSET,
        dpop_bound_access_tokens=True if said.dpop_bound_access_tokens else UNSET,
    )


def grant_view(grant: Grant, client: Client, base_url: str, *, with_scope: bool) -> GrantView:
    """`grant` of `client` as seen from `base_url`."""
    app, when = f"{base_url}{APPS_PATH}/{client.id}", format_timestamp(from_ms(grant.created_ms))
    return GrantView(
        id=grant.id,
        status="ACTIVE",
        created=when,
        created_by={"id": grant.created_by, "type": "User"},
        last_updated=when,
        issuer=grant.issuer,
        client_id=client.id,
        scope_id=grant.scope,
        source="ADMIN",
        links={
            "app": {"href": app, "title": client.name},
            "self": {"href": f"{app}/grants/{grant.id}", "hints": {"allow": ["GET", "DELETE"]}},
            "client": {"href": f"{base_url}{CLIENTS_PATH}/{client.id}", "title": client.name},
        },
        embedded={"scope": {"id": grant.scope}} if with_scope else UNSET,
    )


def metadata_view(issuer: str, scopes: list[str]) -> dict[str, Any]:
    """What clients find out by themselves (RFC 8414); the endpoints of browser flows are named, and are not here."""
    v1 = f"{issuer}/oauth2/v1"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{v1}/authorize",
        "token_endpoint": f"{v1}/token",
        "userinfo_endpoint": f"{v1}/userinfo",
        "registration_endpoint": issuer + CLIENTS_PATH,
        "jwks_uri": f"{v1}/keys",
        "response_types_supported": list(RESPONSE_TYPES),
        "grant_types_supported": [CLIENT_CREDENTIALS],
        "subject_types_supported": ["public"],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": f"{v1}/introspect",
        "revocation_endpoint": f"{v1}/revoke",
        "end_session_endpoint": f"{v1}/logout",
        "device_authorization_endpoint": f"{v1}/device/authorize",
        "pushed_authorization_request_endpoint": f"{v1}/par",
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }


def _key_view(jwk: Jwk) -> dict[str, str | None]:
    names = ("kty", "kid", "use", "e", "n") if jwk.kty == "RSA" else ("kty", "kid", "use", "crv", "x", "y")
    return {name: getattr(jwk, name) for name in names}
