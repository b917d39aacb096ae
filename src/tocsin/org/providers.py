"""Risk providers: who asserts, and what the org does with it. Source: the risk providers API page."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from tocsin.org.changes import Changes, NameTaken
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_id
from tocsin.org.records import (
    PROVIDER_TOPIC,
    Deed,
    DirectoryRecord,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
    org_deed,
)
from tocsin.signals import RiskProvider, RiskProviderAction
from tocsin.signals.limits import PROVIDERS_PER_ORG

DEFAULT_PROVIDER_NAME = "Default"
_ADD = "INSERT INTO providers VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_REPLACE = "UPDATE providers SET name = ?, client_id = ?, action = ?, updated_ms = ? WHERE id = ?"
_DELETE = "UPDATE providers SET deleted_ms = ? WHERE id = ?"
_ALL = """
SELECT id, name, client_id, action, is_default, created_ms, updated_ms FROM providers WHERE deleted_ms IS NULL
ORDER BY created_seq
"""
_DELETED = "SELECT id, deleted_ms FROM providers WHERE deleted_ms IS NOT NULL"


class TooManyProviders(OrgError):
    """The org has as many providers as it may. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            f"the org has {PROVIDERS_PER_ORG} risk providers, and no more are allowed", hint="delete one of them first"
        )


class ProviderUnknown(OrgError):
    """There is no such provider. Nothing was changed."""

    def __init__(self, provider_id: str) -> None:
        self.provider_id = provider_id
        super().__init__(f"there is no risk provider {provider_id}", hint="list the providers to see their ids")


class Provider(Struct, frozen=True):
    """A risk provider as the org holds it."""

    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction
    is_default: bool
    created_ms: int
    updated_ms: int


class ProviderTable:
    """The providers' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS providers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, client_id TEXT, action TEXT NOT NULL, is_default INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, created_seq INTEGER NOT NULL,
    deleted_ms INTEGER
);
"""

    def __init__(self) -> None:
        self.by_id: dict[str, Provider] = {}
        """All providers, oldest first."""
        self.enforcing: frozenset[str] = frozenset()
        """Ids of those whose word is enforced."""
        self.deleted_ms: dict[str, int] = {}
        """When each that there is no more was deleted, by id."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:
        """See `Part.changes`."""
        match record:
            case ProviderCreated(deed=deed):
                given = (record.id, record.name, record.client_id, record.action, record.is_default)
                yield _ADD, (*given, deed.at_ms, deed.at_ms, seq)
            case ProviderReplaced(deed=deed):
                yield _REPLACE, (record.name, record.client_id, record.action, deed.at_ms, record.id)
            case ProviderDeleted(deed=deed):
                yield _DELETE, (deed.at_ms, record.id)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.by_id = {
            provider_id: Provider(provider_id, name, client_id, RiskProviderAction(action), bool(is_default), *times)
            for provider_id, name, client_id, action, is_default, *times in db.execute(_ALL)
        }
        self.enforcing = frozenset(
            provider.id for provider in self.by_id.values() if provider.action is RiskProviderAction.ENFORCE_AND_LOG
        )
        self.deleted_ms = dict(db.execute(_DELETED).fetchall())


class Providers:
    """The risk providers of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: ProviderTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    def all(self) -> list[Provider]:
        """Oldest first."""
        return list(self._table.by_id.values())

    def get(self, provider_id: str) -> Provider | None:
        """The provider with this id, or None."""
        return self._table.by_id.get(provider_id)

    @property
    def enforcing(self) -> frozenset[str]:
        """Ids of those whose word is enforced."""
        return self._table.enforcing

    def ids_since(self, at_ms: int) -> set[str]:
        """Ids of the providers there are, and of those that there still were at `at_ms`."""
        gone = {provider_id for provider_id, deleted_ms in self._table.deleted_ms.items() if deleted_ms >= at_ms}
        return gone | self._table.by_id.keys()

    def default(self) -> Provider | None:
        """The provider the org started with, or None when it was deleted."""
        return next((provider for provider in self._table.by_id.values() if provider.is_default), None)

    def of_client(self, client_id: str) -> Provider | None:
        """The provider that this OAuth client asserts for, the oldest if several; None when it is bound to none."""
        return next((provider for provider in self._table.by_id.values() if provider.client_id == client_id), None)

    async def create(self, wanted: RiskProvider, *, deed: Deed) -> Provider:
        """A new provider. Raises NameTaken or TooManyProviders."""

        def decide() -> ProviderCreated:
            if len(self._table.by_id) >= PROVIDERS_PER_ORG:
                raise TooManyProviders
            self._refuse_name(wanted.name, of=None)
            given = (wanted.name, wanted.client_id, wanted.action)
            return ProviderCreated(deed, new_id("rkp"), *given, is_default=False)

        created = await self._changes.append(PROVIDER_TOPIC, decide)
        return self._now_there(created.id)

    async def replace(self, provider_id: str, wanted: RiskProvider, *, deed: Deed) -> Provider:
        """The provider with new name, client id and action. Raises NameTaken or ProviderUnknown."""

        def decide() -> ProviderReplaced:
            self._now_there(provider_id)
            self._refuse_name(wanted.name, of=provider_id)
            return ProviderReplaced(deed, provider_id, wanted.name, wanted.client_id, wanted.action)

        await self._changes.append(PROVIDER_TOPIC, decide)
        return self._now_there(provider_id)

    async def delete(self, provider_id: str, *, deed: Deed) -> None:
        """Delete a provider; what it asserted no longer counts. Raises ProviderUnknown."""

        def decide() -> ProviderDeleted:
            self._now_there(provider_id)
            return ProviderDeleted(deed, provider_id)

        await self._changes.append(PROVIDER_TOPIC, decide)

    async def make_default(self, *, at_ms: int) -> None:
        """Make the provider an org starts with, unless there has ever been one."""
        given = (new_id("rkp"), DEFAULT_PROVIDER_NAME, None, RiskProviderAction.LOG_ONLY)
        await self._changes.append_first(PROVIDER_TOPIC, ProviderCreated(org_deed(at_ms), *given, is_default=True))

    def _now_there(self, provider_id: str) -> Provider:
        provider = self.get(provider_id)
        if provider is None:  # never there, or deleted by another writer meanwhile
            raise ProviderUnknown(provider_id)
        return provider

    def _refuse_name(self, name: str, *, of: str | None) -> None:
        if any(provider.name == name and provider.id != of for provider in self._table.by_id.values()):
            raise NameTaken("risk provider", name)
