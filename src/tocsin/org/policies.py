"""The policy an org has now: who set it, and how it is changed.

Two may speak. A `[policy]` in the configuration is what an org starts with: it is journaled at the start, and again
whenever it has changed since. Once somebody changes the policy over HTTP, what they said holds, over restarts and on
every node, and the configuration is told of with a warning: a restart must never undo what an operator did.
"""

import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from tocsin.org.changes import Changes
from tocsin.org.directory import Statement
from tocsin.org.policy import Policy, Rules
from tocsin.org.records import POLICY_TOPIC, Author, AuthorKind, Deed, DirectoryRecord, PolicyReplaced, org_deed

_SET = "INSERT OR REPLACE INTO policy VALUES (1, ?, ?, ?, ?)"
_GET = "SELECT policy, author, at_ms, seq FROM policy"


class StandingPolicy(Struct, frozen=True):
    """The policy that holds, and who set it."""

    rules: Rules
    author: Author | None = None
    """The org itself for what its configuration says; None for the default, which nobody set."""
    at_ms: int | None = None
    seq: int = 0
    """The journal entry it came with; 0 for the default."""

    @property
    def policy(self) -> Policy:
        """What to do about each level."""
        return self.rules.policy


class PolicyTable:
    """The policy's part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS policy (
    one INTEGER PRIMARY KEY CHECK (one = 1), policy BLOB NOT NULL, author BLOB NOT NULL, at_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.standing = StandingPolicy(Rules(Policy()))

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:
        """See `Part.changes`."""
        if isinstance(record, PolicyReplaced):
            author = msgspec.msgpack.encode(record.deed.author)
            yield _SET, (msgspec.msgpack.encode(record.policy), author, record.deed.at_ms, seq)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        for policy, author, at_ms, seq in db.execute(_GET):
            rules = Rules(msgspec.msgpack.decode(policy, type=Policy))
            self.standing = StandingPolicy(rules, msgspec.msgpack.decode(author, type=Author), at_ms, seq)


class Policies:
    """The policy of one org. All changes raise JournalError when the journal cannot be read or written."""

    def __init__(self, table: PolicyTable, changes: Changes) -> None:
        self._table = table
        self._changes = changes

    @property
    def standing(self) -> StandingPolicy:
        """The one that holds."""
        return self._table.standing

    async def replace(self, policy: Policy, *, deed: Deed) -> StandingPolicy:
        """From now on `policy` holds."""
        await self._changes.append(POLICY_TOPIC, lambda: PolicyReplaced(deed, policy))
        return self.standing

    async def start_from(self, configured: Policy, *, at_ms: int) -> bool:
        """Let `configured` hold, unless somebody has set another one. Returns: whether it holds."""

        def decide() -> PolicyReplaced:
            standing = self.standing
            if standing.seq and standing.policy == configured:
                raise _Settled(holds=True)
            if standing.author is not None and standing.author.kind is not AuthorKind.ORG:
                raise _Settled(holds=False)
            return PolicyReplaced(org_deed(at_ms), configured)

        try:
            await self._changes.append(POLICY_TOPIC, decide)
        except _Settled as settled:
            return settled.holds
        return True


class _Settled(Exception):
    """Nothing has to be changed."""

    def __init__(self, *, holds: bool) -> None:
        self.holds = holds
