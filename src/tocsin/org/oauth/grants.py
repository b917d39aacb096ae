"""Grants: which scopes a client may ask for. Source: spec 4.2."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from tocsin.org.changes import Changes
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_id
from tocsin.org.oauth.clients import Clients, ClientUnknown
from tocsin.org.records import GRANT_TOPIC, ClientDeleted, Deed, DirectoryRecord, GrantCreated, GrantRevoked

_ADD = "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, ?)"
_REVOKE = "DELETE FROM grants WHERE id = ?"
_REVOKE_ALL = "DELETE FROM grants WHERE client_id = ?"
_ALL = "SELECT id, client_id, scope, issuer, created_ms, created_by FROM grants ORDER BY created_seq"


class GrantUnknown(OrgError):
    """There is no such grant. Nothing was changed."""

    def __init__(self, grant_id: str) -> None:
        self.grant_id = grant_id
        super().__init__(f"there is no grant {grant_id}", hint="list the grants of the client to see their ids")


class _Granted(Exception):
    """There is such a grant already."""

    def __init__(self, grant: "Grant") -> None:
        self.grant = grant
        super().__init__()


class Grant(Struct, frozen=True):
    """A grant as the org holds it."""

    id: str
    """`oag` and 17 base62 characters."""
    client_id: str
    scope: str
    issuer: str
    created_ms: int
    created_by: str
    """Id of who granted it."""


class GrantTable:
    """The grants' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS grants (
    id TEXT PRIMARY KEY, client_id TEXT NOT NULL, scope TEXT NOT NULL, issuer TEXT NOT NULL,
    created_ms INTEGER NOT NULL, created_by TEXT NOT NULL, created_seq INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.by_client: dict[str, dict[str, Grant]] = {}
        """By client id and grant id, oldest first."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:
        """See `Part.changes`."""
        match record:
            case GrantCreated(deed=deed):
                given = (record.id, record.client_id, record.scope, record.issuer)
                yield _ADD, (*given, deed.at_ms, deed.author.id, seq)
            case GrantRevoked():
                yield _REVOKE, (record.id,)
            case ClientDeleted():
                yield _REVOKE_ALL, (record.id,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        by_client: dict[str, dict[str, Grant]] = {}
        for row in db.execute(_ALL):
            grant = Grant(*row)
            by_client.setdefault(grant.client_id, {})[grant.id] = grant
        self.by_client = by_client  # whole at once: requests look at it meanwhile


class Grants:
    """The grants of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: GrantTable, clients: Clients, changes: Changes) -> None:
        self._table = table
        self._clients = clients
        self._changes = changes

    def of(self, client_id: str) -> list[Grant]:
        """The grants of a client, oldest first."""
        return list(self._table.by_client.get(client_id, {}).values())

    def get(self, client_id: str, grant_id: str) -> Grant | None:
        """The grant of this client with this id, or None."""
        return self._table.by_client.get(client_id, {}).get(grant_id)

    def scopes_of(self, client_id: str) -> frozenset[str]:
        """What a client may ask for."""
        return frozenset(grant.scope for grant in self.of(client_id))

    async def create(self, client_id: str, scope: str, issuer: str, *, deed: Deed) -> Grant:
        """The grant of `scope`, the one that is there if there is one. Raises ClientUnknown."""

        def decide() -> GrantCreated:
            if self._clients.get(client_id) is None:
                raise ClientUnknown(client_id)
            for grant in self.of(client_id):
                if grant.scope == scope:
                    raise _Granted(grant)
            return GrantCreated(deed, new_id("oag"), client_id, scope, issuer)

        try:
            created = await self._changes.append(GRANT_TOPIC, decide)
        except _Granted as already:
            return already.grant
        return self._now_there(client_id, created.id)

    async def revoke(self, client_id: str, grant_id: str, *, deed: Deed) -> None:
        """The client may not ask for it any more. Raises GrantUnknown."""

        def decide() -> GrantRevoked:
            grant = self._now_there(client_id, grant_id)
            return GrantRevoked(deed, grant.id, grant.client_id, grant.scope)

        await self._changes.append(GRANT_TOPIC, decide)

    def _now_there(self, client_id: str, grant_id: str) -> Grant:
        grant = self.get(client_id, grant_id)
        if grant is None:  # never there, or revoked by another writer meanwhile
            raise GrantUnknown(grant_id)
        return grant
