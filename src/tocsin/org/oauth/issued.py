"""What was issued, used up and revoked. Source: spec 4.3 and 4.4, RFC 7009, 7523.

An assertion with a jti works once, and that is so across restarts, processes and nodes: it is appended to the client's
topic naming the last entry that this node had seen there.
"""

import sqlite3
from collections.abc import Callable, Iterator

from tocsin.org.changes import Changes
from tocsin.org.directory import Directory, Statement
from tocsin.org.oauth.refusals import invalid_client
from tocsin.org.records import (
    AccessTokenIssued,
    AccessTokenRefused,
    AccessTokenRevoked,
    AssertionUsed,
    DirectoryRecord,
    UsedAssertion,
    issued_topic,
)

# Until an assertion or a token has expired it is remembered, and an hour longer: a clock may be wrong by minutes.
_KEPT_LONGER_MS = 3600 * 1000
_USE = "INSERT OR IGNORE INTO used_assertions VALUES (?, ?, ?)"
_WAS_USED = "SELECT 1 FROM used_assertions WHERE client_id = ? AND sha256 = ?"
_REVOKE = "INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?)"
_REVOKED = "SELECT jti FROM revoked_tokens"
ENDS = {"used_assertions": "until_ms", "revoked_tokens": "expires_ms"}
"""The tables whose rows are of no use from some time on, and the column that tells it, in epoch ms."""
_FORGET = [f"DELETE FROM {table} WHERE {end} < ?" for table, end in ENDS.items()]  # noqa: S608


class IssuedTable:
    """The part of the directory about what was issued."""

    tables = """
CREATE TABLE IF NOT EXISTS used_assertions (
    client_id TEXT NOT NULL, sha256 BLOB NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (client_id, sha256)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_assertions_by_end ON used_assertions (until_ms);
CREATE TABLE IF NOT EXISTS revoked_tokens (jti TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

    def __init__(self) -> None:
        self.revoked: frozenset[str] = frozenset()
        """Ids of tokens that were revoked before they expired."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:  # noqa: ARG002 - of the protocol
        """See `Part.changes`."""
        match record:
            case AccessTokenIssued(used=UsedAssertion() as used) | AccessTokenRefused(used=UsedAssertion() as used):
                yield _USE, (record.client_id, used.sha256, used.until_ms)
            case AssertionUsed(used=used):
                yield _USE, (record.client_id, used.sha256, used.until_ms)
            case AccessTokenRevoked():
                yield _REVOKE, (record.jti, record.expires_ms)
            case _:
                return
        for forget in _FORGET:
            yield forget, (record.deed.at_ms - _KEPT_LONGER_MS,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.revoked = frozenset(jti for (jti,) in db.execute(_REVOKED))


class Issued:
    """What one org has issued. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: IssuedTable, directory: Directory, changes: Changes) -> None:
        self._table = table
        self._directory = directory
        self._changes = changes

    def is_revoked(self, jti: str) -> bool:
        """Whether the token with this id was revoked."""
        return jti in self._table.revoked

    async def answer(
        self, client_id: str, used: UsedAssertion | None, decide: Callable[[], AccessTokenIssued | AccessTokenRefused]
    ) -> AccessTokenIssued | AccessTokenRefused:
        """
        What `decide` makes of the request of a client, journaled; it may be called several times.

        Raises: OAuthRefused, when the assertion was used before.
        """

        def once() -> AccessTokenIssued | AccessTokenRefused:
            self._refuse_used(client_id, used)
            return decide()

        return await self._changes.append(issued_topic(client_id), once)

    async def use(self, record: AssertionUsed) -> None:
        """Use up an assertion. Raises OAuthRefused, when it was used before."""

        def once() -> AssertionUsed:
            self._refuse_used(record.client_id, record.used)
            return record

        await self._changes.append(issued_topic(record.client_id), once)

    async def revoke(self, record: AccessTokenRevoked) -> None:
        """Revoke a token; once more is harmless."""
        await self._changes.append(issued_topic(record.client_id), lambda: record)

    def _refuse_used(self, client_id: str, used: UsedAssertion | None) -> None:
        if used is not None and self._directory.query(_WAS_USED, (client_id, used.sha256)):
            raise invalid_client("The client_assertion token has already been used.")
