"""GET, POST /oauth2/v1/clients; GET, PUT, DELETE of one; POST .../lifecycle/newSecret. Source: spec 4.1."""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Router, delete, get, post, put
from litestar.params import FromPath

from tocsin.org.changes import NameTaken
from tocsin.org.http.errors import (
    Refusal,
    bad_cursor,
    not_well_formed,
    oauth_refused,
    resource_not_found,
    validation_failed,
)
from tocsin.org.http.exchange import Exchange, exchange_of
from tocsin.org.http.links import link_header
from tocsin.org.http.oauth_views import CLIENTS_PATH, ClientView, client_view
from tocsin.org.oauth.clients import Client, ClientHasNoSecret, ClientUnknown
from tocsin.org.oauth.metadata import ClientBody, checked
from tocsin.org.oauth.refusals import invalid_metadata
from tocsin.org.org import Org
from tocsin.org.records import ClientMetadata

_TYPE = "PublicClientApp"
_LIMIT, _MOST = 20, 200  # D
_TAKEN = "client_name: An object with this field already exists in the current organization"


def client_routes(org: Org, base_url: str) -> Router:
    """The doors to the clients of `org`, whose links begin with `base_url`."""

    @get("/")
    async def list_clients(request: Request[Any, Any, Any]) -> list[ClientView]:
        exchange = exchange_of(request)
        given = parse_qsl(exchange.query.decode("latin-1"), keep_blank_values=True)
        asked = dict(given)
        limit, after = _limit(asked.get("limit")), _seq(asked.get("after"))
        found = org.clients.page(after_seq=after, limit=limit + 1, begins_with=asked.get("q", ""))
        page = found[:limit]
        place = f"{base_url}{CLIENTS_PATH}"
        exchange.more_headers.append(link_header(place, given, "self"))
        if len(found) > limit:
            beyond = [*(pair for pair in given if pair[0] != "after"), ("after", _cursor(page[-1].created_seq))]
            exchange.more_headers.append(link_header(place, beyond, "next"))
        return [client_view(client) for client in page]

    @post("/")
    async def create_client(request: Request[Any, Any, Any]) -> ClientView:
        exchange = exchange_of(request)
        wanted = await _wanted(exchange)
        try:
            return client_view(*await org.clients.create(wanted, deed=exchange.deed()))
        except NameTaken as error:
            raise oauth_refused(invalid_metadata(_TAKEN)) from error

    @get("/{client_id:str}")
    async def get_client(client_id: FromPath[str]) -> ClientView:
        return client_view(_found(org, client_id))

    @put("/{client_id:str}")
    async def replace_client(request: Request[Any, Any, Any], client_id: FromPath[str]) -> ClientView:
        exchange = exchange_of(request)
        _found(org, client_id)
        wanted = await _wanted(exchange)
        try:
            return client_view(*await org.clients.replace(client_id, wanted, deed=exchange.deed()))
        except NameTaken as error:
            raise oauth_refused(invalid_metadata(_TAKEN)) from error
        except ClientUnknown as error:
            raise _unknown(client_id) from error

    @delete("/{client_id:str}")
    async def delete_client(request: Request[Any, Any, Any], client_id: FromPath[str]) -> None:
        try:
            await org.clients.delete(client_id, deed=exchange_of(request).deed())
        except ClientUnknown as error:
            raise _unknown(client_id) from error

    @post("/{client_id:str}/lifecycle/newSecret", status_code=200)
    async def renew_client_secret(request: Request[Any, Any, Any], client_id: FromPath[str]) -> ClientView:
        try:
            return client_view(*await org.clients.renew_secret(client_id, deed=exchange_of(request).deed()))
        except ClientUnknown as error:
            raise _unknown(client_id) from error
        except ClientHasNoSecret as error:
            text = "token_endpoint_auth_method: The client does not use a client secret."
            raise oauth_refused(invalid_metadata(text)) from error

    handlers = [list_clients, create_client, get_client, replace_client, delete_client, renew_client_secret]
    return Router(CLIENTS_PATH, route_handlers=handlers)


async def _wanted(exchange: Exchange) -> ClientMetadata:
    try:
        return checked(msgspec.json.decode(await exchange.json_body(), type=ClientBody))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_well_formed() from error


def _found(org: Org, client_id: str) -> Client:
    client = org.clients.get(client_id)
    if client is None:
        raise _unknown(client_id)
    return client


def _unknown(client_id: str) -> Refusal:
    return resource_not_found(client_id, _TYPE)


def _limit(text: str | None) -> int:
    if text is None:
        return _LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST and len(text) <= 9):
        raise validation_failed("limit", ["limit: The field has an invalid value"])
    return int(text)


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(str(seq).encode()).decode().rstrip("=")


def _seq(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        seq = base64.urlsafe_b64decode(cursor + "==").decode("ascii")
    except (binascii.Error, ValueError):
        raise bad_cursor() from None
    if not (seq.isdigit() and len(seq) <= 18):
        raise bad_cursor()
    return int(seq)
