"""API tokens (SSWS): random, told once, kept as hashes."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from tocsin.org.changes import Changes, NameTaken, check_name
from tocsin.org.directory import Statement
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_id, new_token, token_hash
from tocsin.org.records import TOKEN_TOPIC, Deed, DirectoryRecord, Role, TokenCreated, TokenRevoked

_ADD = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)"
_REVOKE = "DELETE FROM tokens WHERE id = ?"
_ALL = "SELECT sha256, id, name, role, created_ms FROM tokens ORDER BY created_ms, id"


class TokenUnknown(OrgError):
    """There is no such token. Nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no token named {name!r}", hint="`tocsin token list` shows those there are")


class Token(Struct, frozen=True):
    """What the org knows of an API token: everything but the token."""

    id: str
    """`00T` and 17 base62 characters."""
    name: str
    role: Role
    created_ms: int


class TokenTable:
    """The tokens' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 BLOB NOT NULL UNIQUE, role TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.by_hash: dict[bytes, Token] = {}
        """Oldest first."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:  # noqa: ARG002 - of the protocol
        """See `Part.changes`."""
        match record:
            case TokenCreated(deed=deed):
                yield _ADD, (record.id, record.name, record.sha256, record.role, deed.at_ms)
            case TokenRevoked():
                yield _REVOKE, (record.id,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.by_hash = {
            sha256: Token(token_id, name, Role(role), created_ms)
            for sha256, token_id, name, role, created_ms in db.execute(_ALL)
        }


class Tokens:
    """The API tokens of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: TokenTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    def of_secret(self, secret: str) -> Token | None:
        """
        Whose token this is, or None when it is unknown.

        How long that takes tells at most how the hash of a guess sorts among the hashes kept. Nobody can get from
        there to a token: it has 238 random bits, and SHA-256 cannot be turned back.
        """
        return self._table.by_hash.get(token_hash(secret))

    def all(self) -> list[Token]:
        """Oldest first."""
        return list(self._table.by_hash.values())

    def get(self, token_id: str) -> Token | None:
        """The token with this id, or None."""
        return next((token for token in self._table.by_hash.values() if token.id == token_id), None)

    def named(self, name: str) -> Token | None:
        """The token of this name, or None."""
        return next((token for token in self._table.by_hash.values() if token.name == name), None)

    async def create(self, name: str, role: Role, *, deed: Deed) -> str:
        """A new token. It is told once, here. Raises NameTaken, or OrgError for a name that cannot be one."""
        check_name("token", name)
        secret = new_token()

        def decide() -> TokenCreated:
            if self.named(name) is not None:
                raise NameTaken("token", name)
            return TokenCreated(deed, new_id("00T"), name, token_hash(secret), role)

        await self._changes.append(TOKEN_TOPIC, decide)
        return secret

    async def revoke(self, name: str, *, deed: Deed) -> None:
        """From now on it opens nothing. Raises TokenUnknown."""

        def decide() -> TokenRevoked:
            token = self.named(name)
            if token is None:
                raise TokenUnknown(name)
            return TokenRevoked(deed, token.id)

        await self._changes.append(TOKEN_TOPIC, decide)
