"""GET, POST /api/v1/apps/{appId}/grants; GET, DELETE of one. Source: spec 4.2."""

from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from tocsin.org.http.doors import Door
from tocsin.org.http.errors import Refusal, not_well_formed, resource_not_found, validation_failed
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.oauth_views import APPS_PATH, GrantView, grant_view
from tocsin.org.oauth.clients import Client, ClientUnknown
from tocsin.org.oauth.grants import Grant, GrantUnknown
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


class GrantDoors:
    """The doors to the grants of one org, as `server` knows it. They raise Refusal (400, 404), JournalError."""

    def __init__(self, org: Org, server: AuthorizationServer) -> None:
        self._clients, self._grants, self._server = org.clients, org.grants, server
        self._created_status = org.config.oauth.post_grants_status

    def doors(self) -> dict[tuple[str, str], Door]:
        """All of them, by method and path."""
        every = APPS_PATH + "/{app_id}/grants"
        return {
            ("GET", every): self._list,
            ("POST", every): self._create,
            ("GET", every + "/{grant_id}"): self._tell,
            ("DELETE", every + "/{grant_id}"): self._revoke,
        }

    async def _list(self, exchange: Exchange, app_id: str) -> None:
        client = self._app(app_id)
        with_scope = ("expand", "scope") in parse_qsl(exchange.query.decode("latin-1"))
        views = [self._view(grant, client, with_scope=with_scope) for grant in self._grants.of(app_id)]
        await exchange.answer(200, msgspec.json.encode(views))

    async def _create(self, exchange: Exchange, app_id: str) -> None:
        client = self._app(app_id)
        scope = await _wanted_scope(exchange, self._server)
        try:
            grant = await self._grants.create(app_id, scope, self._server.issuer, deed=exchange.deed())
        except ClientUnknown as error:
            raise resource_not_found(app_id, _APP_TYPE) from error
        await exchange.answer(self._created_status, msgspec.json.encode(self._view(grant, client)))

    async def _tell(self, exchange: Exchange, app_id: str, grant_id: str) -> None:
        client, grant = self._app(app_id), self._grants.get(app_id, grant_id)
        if grant is None:
            raise _unknown(grant_id)
        await exchange.answer(200, msgspec.json.encode(self._view(grant, client)))

    async def _revoke(self, exchange: Exchange, app_id: str, grant_id: str) -> None:
        self._app(app_id)
        try:
            await self._grants.revoke(app_id, grant_id, deed=exchange.deed())
        except GrantUnknown as error:
            raise _unknown(grant_id) from error
        await exchange.answer(204)

    def _app(self, app_id: str) -> Client:
        client = self._clients.get(app_id)
        if client is None:
            raise resource_not_found(app_id, _APP_TYPE)
        return client

    def _view(self, grant: Grant, client: Client, *, with_scope: bool = True) -> GrantView:
        return grant_view(grant, client, self._server.issuer, with_scope=with_scope)


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


def _unknown(grant_id: str) -> Refusal:
    return resource_not_found(grant_id, _TYPE)
