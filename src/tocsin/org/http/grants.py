"""GET, POST /api/v1/apps/{appId}/grants; GET, DELETE of one. Source: spec 4.2."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.params import FromPath
from msgspec import Struct

from tocsin.org.http.errors import Refusal, not_well_formed, resource_not_found, validation_failed
from tocsin.org.http.exchange import Exchange, exchange_of
from tocsin.org.http.oauth_views import APPS_PATH, GrantView, grant_view
from tocsin.org.oauth.clients import Client, ClientUnknown
from tocsin.org.oauth.grants import GrantUnknown
from tocsin.org.oauth.server import AuthorizationServer
from tocsin.org.org import Org

_APP_TYPE = "AppInstance"
_TYPE = "OAuth2ScopeConsentGrant"  # U
_BLANK = "The field cannot be left blank"
_WRONG = "The field has an invalid value"  # U: the words for a wrong issuer or scope are not public


class GrantBody(Struct, frozen=True, rename="camel"):
    """A grant as it is sent."""

    scope_id: str | None = None
    issuer: str | None = None


def grant_routes(org: Org, server: AuthorizationServer) -> Router:
    """The doors to the grants of `org`, as `server` knows it."""
    base_url = server.issuer

    @get("/")
    async def list_grants(request: Request[Any, Any, Any], app_id: FromPath[str]) -> list[GrantView]:
        client = _app(org, app_id)
        asked = parse_qsl(exchange_of(request).query.decode("latin-1"))
        with_scope = ("expand", "scope") in asked
        return [grant_view(grant, client, base_url, with_scope=with_scope) for grant in org.grants.of(app_id)]

    @post("/", status_code=org.config.oauth.post_grants_status)
    async def grant_scope(request: Request[Any, Any, Any], app_id: FromPath[str]) -> GrantView:
        exchange = exchange_of(request)
        client = _app(org, app_id)
        scope = await _wanted_scope(exchange, server)
        try:
            grant = await org.grants.create(app_id, scope, server.issuer, deed=exchange.deed())
        except ClientUnknown as error:
            raise resource_not_found(app_id, _APP_TYPE) from error
        return grant_view(grant, client, base_url, with_scope=True)

    @get("/{grant_id:str}")
    async def get_grant(app_id: FromPath[str], grant_id: FromPath[str]) -> GrantView:
        client, grant = _app(org, app_id), org.grants.get(app_id, grant_id)
        if grant is None:
            raise _unknown(grant_id)
        return grant_view(grant, client, base_url, with_scope=True)

    @delete("/{grant_id:str}")
    async def revoke_grant(request: Request[Any, Any, Any], app_id: FromPath[str], grant_id: FromPath[str]) -> None:
        _app(org, app_id)
        try:
            await org.grants.revoke(app_id, grant_id, deed=exchange_of(request).deed())
        except GrantUnknown as error:
            raise _unknown(grant_id) from error

    return Router(
        APPS_PATH + "/{app_id:str}/grants", route_handlers=[list_grants, grant_scope, get_grant, revoke_grant]
    )


async def _wanted_scope(exchange: Exchange, server: AuthorizationServer) -> str:
    """The scope to grant. Raises Refusal (400)."""
    try:
        wanted = msgspec.json.decode(await exchange.json_body(), type=GrantBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_well_formed() from error
    problems = {}
    for field, value, right in (
        ("scopeId", wanted.scope_id, wanted.scope_id in server.known_scopes),
        ("issuer", wanted.issuer, wanted.issuer == server.issuer),
    ):
        if not right:
            problems[field] = _WRONG if value else _BLANK
    if problems or wanted.scope_id is None:
        raise validation_failed(next(iter(problems)), [f"{field}: {text}" for field, text in problems.items()])
    return wanted.scope_id


def _app(org: Org, app_id: str) -> Client:
    client = org.clients.get(app_id)
    if client is None:
        raise resource_not_found(app_id, _APP_TYPE)
    return client


def _unknown(grant_id: str) -> Refusal:
    return resource_not_found(grant_id, _TYPE)
