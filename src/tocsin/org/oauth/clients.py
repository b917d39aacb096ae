"""OAuth 2.0 clients: their part of the directory, and how they change. Source: spec 4.1."""

import hmac
import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from tocsin.org.changes import Changes, NameTaken
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_client_secret, new_id, token_hash
from tocsin.org.oauth.jose import Jwk
from tocsin.org.oauth.metadata import SECRET_METHODS, keys_of
from tocsin.org.records import (
    CLIENT_TOPIC,
    ClientCreated,
    ClientDeleted,
    ClientMetadata,
    ClientReplaced,
    ClientSecretRenewed,
    Deed,
    DirectoryRecord,
)

_ADD = "INSERT INTO clients VALUES (?, ?, ?, ?, ?)"
_REPLACE = "UPDATE clients SET metadata = ?, secret_sha256 = ? WHERE id = ?"
_RENEW = "UPDATE clients SET secret_sha256 = ? WHERE id = ?"
_DELETE = "DELETE FROM clients WHERE id = ?"
_ALL = "SELECT id, metadata, secret_sha256, created_ms, created_seq FROM clients ORDER BY created_seq"


class ClientUnknown(OrgError):
    """There is no such client. Nothing was changed."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        super().__init__(f"there is no client {client_id}", hint="list the clients to see their ids")


class ClientHasNoSecret(OrgError):
    """The client proves who it is without a secret. Nothing was changed."""


class Client(Struct, frozen=True):
    """A client as the org holds it."""

    id: str
    """`0oa` and 17 base62 characters."""
    metadata: ClientMetadata
    secret_sha256: bytes | None
    created_ms: int
    created_seq: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.metadata.client_name

    @property
    def auth_method(self) -> str:
        """How it proves who it is."""
        return self.metadata.token_endpoint_auth_method

    @property
    def keys(self) -> tuple[Jwk, ...]:
        """Its public keys."""
        return keys_of(self.metadata.jwks)

    def has_secret(self, secret: str) -> bool:
        """Whether `secret` is its secret."""
        return self.secret_sha256 is not None and hmac.compare_digest(self.secret_sha256, token_hash(secret))


class ClientTable:
    """The clients' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, metadata BLOB NOT NULL, secret_sha256 BLOB, created_ms INTEGER NOT NULL,
    created_seq INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.by_id: dict[str, Client] = {}
        """Oldest first."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:
        """See `Part.changes`."""
        match record:
            case ClientCreated(deed=deed):
                metadata = msgspec.msgpack.encode(record.metadata)
                yield _ADD, (record.id, metadata, record.secret_sha256, deed.at_ms, seq)
            case ClientReplaced():
                yield _REPLACE, (msgspec.msgpack.encode(record.metadata), record.secret_sha256, record.id)
            case ClientSecretRenewed():
                yield _RENEW, (record.secret_sha256, record.id)
            case ClientDeleted():
                yield _DELETE, (record.id,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.by_id = {
            client_id: Client(client_id, msgspec.msgpack.decode(metadata, type=ClientMetadata), *rest)
            for client_id, metadata, *rest in db.execute(_ALL)
        }


class Clients:
    """The clients of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: ClientTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    def get(self, client_id: str) -> Client | None:
        """The client with this id, or None."""
        return self._table.by_id.get(client_id)

    def page(self, *, after_seq: int, limit: int, begins_with: str) -> list[Client]:
        """At most `limit` clients made after entry `after_seq`, oldest first, whose name begins so in any case."""
        start = begins_with.lower()
        found = (
            client
            for client in self._table.by_id.values()
            if client.created_seq > after_seq and client.name.lower().startswith(start)
        )
        return [client for client, _ in zip(found, range(limit), strict=False)]

    async def create(self, metadata: ClientMetadata, *, deed: Deed) -> tuple[Client, str | None]:
        """A new client, and its secret when it needs one: told once, here. Raises NameTaken."""
        secret = new_client_secret() if metadata.token_endpoint_auth_method in SECRET_METHODS else None

        def decide() -> ClientCreated:
            self._refuse_name(metadata.client_name, of=None)
            return ClientCreated(deed, new_id("0oa"), metadata, token_hash(secret) if secret else None)

        created = await self._changes.append(CLIENT_TOPIC, decide)
        return self._now_there(created.id), secret

    async def replace(self, client_id: str, metadata: ClientMetadata, *, deed: Deed) -> tuple[Client, str | None]:
        """
        The client, which says all of `metadata` from now on; one that had no secret and needs one gets it, told once.

        Raises: ClientUnknown, NameTaken.
        """
        needs_secret = metadata.token_endpoint_auth_method in SECRET_METHODS
        new = new_client_secret()

        def decide() -> ClientReplaced:
            known = self._now_there(client_id)
            self._refuse_name(metadata.client_name, of=client_id)
            return ClientReplaced(
                deed, client_id, metadata, (known.secret_sha256 or token_hash(new)) if needs_secret else None
            )

        await self._changes.append(CLIENT_TOPIC, decide)
        replaced = self._now_there(client_id)
        return replaced, new if replaced.has_secret(new) else None

    async def renew_secret(self, client_id: str, *, deed: Deed) -> tuple[Client, str]:
        """The client and its new secret, told once. Raises ClientUnknown, ClientHasNoSecret."""
        secret = new_client_secret()

        def decide() -> ClientSecretRenewed:
            if self._now_there(client_id).secret_sha256 is None:
                raise ClientHasNoSecret(f"client {client_id} has no secret")
            return ClientSecretRenewed(deed, client_id, token_hash(secret))

        await self._changes.append(CLIENT_TOPIC, decide)
        return self._now_there(client_id), secret

    async def delete(self, client_id: str, *, deed: Deed) -> None:
        """Delete a client and its grants; its access tokens open nothing any more. Raises ClientUnknown."""

        def decide() -> ClientDeleted:
            return ClientDeleted(deed, client_id, self._now_there(client_id).name)

        await self._changes.append(CLIENT_TOPIC, decide)

    def _now_there(self, client_id: str) -> Client:
        client = self.get(client_id)
        if client is None:  # never there, or deleted by another writer meanwhile
            raise ClientUnknown(client_id)
        return client

    def _refuse_name(self, name: str, *, of: str | None) -> None:
        if any(client.name == name and client.id != of for client in self._table.by_id.values()):
            raise NameTaken("client", name)
