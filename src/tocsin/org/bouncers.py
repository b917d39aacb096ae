"""Bouncers: who may ask over the CrowdSec API. A key is random, told once, and kept as a hash."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from tocsin.org.changes import Changes, NameTaken, check_name
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_bouncer_key, new_id, token_hash
from tocsin.org.records import BOUNCER_TOPIC, BouncerCreated, BouncerDeleted, Deed, DirectoryRecord

_ADD = "INSERT INTO bouncers VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM bouncers WHERE id = ?"
_ALL = "SELECT sha256, id, name, created_ms FROM bouncers ORDER BY created_ms, id"


class BouncerUnknown(OrgError):
    """There is no such bouncer. Nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no bouncer named {name!r}", hint="`tocsin bouncer list` shows those there are")


class Bouncer(Struct, frozen=True):
    """What the org knows of a bouncer: everything but its key."""

    id: str
    """`bnc` and 17 base62 characters."""
    name: str
    created_ms: int


class BouncerTable:
    """The bouncers' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS bouncers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 BLOB NOT NULL UNIQUE, created_ms INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.by_hash: dict[bytes, Bouncer] = {}
        """Oldest first."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:  # noqa: ARG002 - of the protocol
        """See `Part.changes`."""
        match record:
            case BouncerCreated(deed=deed):
                yield _ADD, (record.id, record.name, record.sha256, deed.at_ms)
            case BouncerDeleted():
                yield _DELETE, (record.id,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.by_hash = {sha256: Bouncer(*fields) for sha256, *fields in db.execute(_ALL)}


class Bouncers:
    """The bouncers of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: BouncerTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    def of_key(self, key: str) -> Bouncer | None:
        """Whose key this is, or None when it is unknown. What the time it takes tells, see `Tokens.of_secret`."""
        return self._table.by_hash.get(token_hash(key))

    def all(self) -> list[Bouncer]:
        """Oldest first."""
        return list(self._table.by_hash.values())

    def named(self, name: str) -> Bouncer | None:
        """The bouncer of this name, or None."""
        return next((bouncer for bouncer in self._table.by_hash.values() if bouncer.name == name), None)

    async def create(self, name: str, *, deed: Deed) -> str:
        """A new bouncer's key. It is told once, here. Raises NameTaken, or OrgError for a name that cannot be one."""
        check_name("bouncer", name)
        key = new_bouncer_key()

        def decide() -> BouncerCreated:
            if self.named(name) is not None:
                raise NameTaken("bouncer", name)
            return BouncerCreated(deed, new_id("bnc"), name, token_hash(key))

        await self._changes.append(BOUNCER_TOPIC, decide)
        return key

    async def delete(self, name: str, *, deed: Deed) -> None:
        """From now on its key opens nothing. Raises BouncerUnknown."""

        def decide() -> BouncerDeleted:
            bouncer = self.named(name)
            if bouncer is None:
                raise BouncerUnknown(name)
            return BouncerDeleted(deed, bouncer.id)

        await self._changes.append(BOUNCER_TOPIC, decide)
