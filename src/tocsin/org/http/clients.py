"""GET, POST /oauth2/v1/clients; GET, PUT, DELETE of one; POST .../lifecycle/newSecret. Source: spec 4.1."""

import base64
import binascii
from urllib.parse import parse_qsl

import msgspec

from tocsin.org.changes import NameTaken
from tocsin.org.http.doors import Door
from tocsin.org.http.errors import (
    Refusal,
    bad_cursor,
    not_well_formed,
    resource_not_found,
    validation_failed,
)
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.links import link_header
from tocsin.org.http.oauth_views import CLIENTS_PATH, client_view
from tocsin.org.oauth.clients import Client, ClientHasNoSecret, ClientUnknown
from tocsin.org.oauth.metadata import ClientBody, checked
from tocsin.org.oauth.refusals import invalid_metadata
from tocsin.org.org import Org
from tocsin.org.records import ClientMetadata

_TYPE = "PublicClientApp"
_LIMIT, _MOST = 20, 200  # D
_TAKEN = "client_name: An object with this field already exists in the current organization"
_HAS_NONE = "token_endpoint_auth_method: The client does not use a client secret."


class ClientDoors:
    """The doors to the clients of one org. They raise Refusal (400, 404), OAuthRefused, JournalError."""

    def __init__(self, org: Org, base_url: str) -> None:
        """Links begin with `base_url`."""
        self._clients, self._base_url = org.clients, base_url

    def doors(self) -> dict[tuple[str, str], Door]:
        """All of them, by method and path."""
        one = CLIENTS_PATH + "/{client_id}"
        return {
            ("GET", CLIENTS_PATH): self._list,
            ("POST", CLIENTS_PATH): self._create,
            ("GET", one): self._tell,
            ("PUT", one): self._replace,
            ("DELETE", one): self._delete,
            ("POST", f"{one}/lifecycle/newSecret"): self._renew_secret,
        }

    async def _list(self, exchange: Exchange) -> None:
        given = parse_qsl(exchange.query.decode("latin-1"), keep_blank_values=True)
        asked = dict(given)
        limit, after = _limit(asked.get("limit")), _seq(asked.get("after"))
        found = self._clients.page(after_seq=after, limit=limit + 1, begins_with=asked.get("q", ""))
        page = found[:limit]
        place = f"{self._base_url}{CLIENTS_PATH}"
        links = [link_header(place, given, "self")]
        if len(found) > limit:
            beyond = [*(pair for pair in given if pair[0] != "after"), ("after", _cursor(page[-1].created_seq))]
            links.append(link_header(place, beyond, "next"))
        await exchange.answer(200, msgspec.json.encode([client_view(client) for client in page]), links)

    async def _create(self, exchange: Exchange) -> None:
        wanted = await _wanted(exchange)
        try:
            client, secret = await self._clients.create(wanted, deed=exchange.deed())
        except NameTaken as error:
            raise invalid_metadata(_TAKEN) from error
        await _answer(exchange, 201, client, secret)

    async def _tell(self, exchange: Exchange, client_id: str) -> None:
        await _answer(exchange, 200, self._found(client_id))

    async def _replace(self, exchange: Exchange, client_id: str) -> None:
        self._found(client_id)
        wanted = await _wanted(exchange)
        try:
            client, secret = await self._clients.replace(client_id, wanted, deed=exchange.deed())
        except NameTaken as error:
            raise invalid_metadata(_TAKEN) from error
        except ClientUnknown as error:
            raise _unknown(client_id) from error
        await _answer(exchange, 200, client, secret)

    async def _delete(self, exchange: Exchange, client_id: str) -> None:
        try:
            await self._clients.delete(client_id, deed=exchange.deed())
        except ClientUnknown as error:
            raise _unknown(client_id) from error
        await exchange.answer(204)

    async def _renew_secret(self, exchange: Exchange, client_id: str) -> None:
        try:
            client, secret = await self._clients.renew_secret(client_id, deed=exchange.deed())
        except ClientUnknown as error:
            raise _unknown(client_id) from error
        except ClientHasNoSecret as error:
            raise invalid_metadata(_HAS_NONE) from error
        await _answer(exchange, 200, client, secret)

    def _found(self, client_id: str) -> Client:
        client = self._clients.get(client_id)
        if client is None:
            raise _unknown(client_id)
        return client


async def _answer(exchange: Exchange, status: int, client: Client, secret: str | None = None) -> None:
    await exchange.answer(status, msgspec.json.encode(client_view(client, secret)))


async def _wanted(exchange: Exchange) -> ClientMetadata:
    try:
        return checked(msgspec.json.decode(await exchange.json_body(), type=ClientBody))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_well_formed() from error


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
