"""Who may ask and who asserts: the projection of tokens and risk providers, in one SQLite file.

Derived from the journal and so never the truth: the file may be deleted, and is made again from the journal. Its
cursor moves in the transaction that applies the entries. Several processes may apply; each re-reads the cursor inside
its transaction and skips what another one did. Commits are not synced to disk one by one: after a power cut the file
is whole and some entries behind, which are then applied again.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tocsin.journal import Entry
from tocsin.org.errors import OrgError
from tocsin.org.folder import telling
from tocsin.org.ids import token_hash
from tocsin.org.records import (
    DirectoryRecord,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
    Role,
    TokenCreated,
    directory_record,
)
from tocsin.signals import RiskProviderAction

LAYOUT = 1  # a file with another one is deleted and made again
_LOCK_WAIT_S = 10.0

_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS cursor (seq INTEGER NOT NULL);
INSERT INTO cursor SELECT 0 WHERE NOT EXISTS (SELECT * FROM cursor);
CREATE TABLE IF NOT EXISTS providers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, client_id TEXT, action TEXT NOT NULL, is_default INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, created_seq INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 BLOB NOT NULL UNIQUE, role TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
COMMIT;
"""
_CURSOR = "SELECT seq FROM cursor"
_ADVANCE = "UPDATE cursor SET seq = ?"
_ADD_PROVIDER = "INSERT INTO providers VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE_PROVIDER = "UPDATE providers SET name = ?, client_id = ?, action = ?, updated_ms = ? WHERE id = ?"
_DELETE_PROVIDER = "DELETE FROM providers WHERE id = ?"
_ADD_TOKEN = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)"  # noqa: S105 - a statement
_PROVIDERS = (
    "SELECT id, name, client_id, action, is_default, created_ms, updated_ms FROM providers ORDER BY created_seq"
)
_TOKEN_BY_HASH = "SELECT id, name, role FROM tokens WHERE sha256 = ?"  # noqa: S105 - a statement
_TOKEN_BY_NAME = "SELECT id, name, role FROM tokens WHERE name = ?"  # noqa: S105 - a statement


class Provider(Struct, frozen=True):
    """A risk provider as the org holds it."""

    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction
    is_default: bool
    created_ms: int
    updated_ms: int


class Principal(Struct, frozen=True):
    """The token a request was authorized with."""

    id: str
    name: str
    role: Role


class Directory:
    """The open projection. `apply` may run in another thread than the rest, which is quick and belongs to one."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`. Raises OrgError when that cannot be."""
        self.path = path
        with self._telling():
            self._db = _open(path)
            # Another connection to read with: what is applied must not be seen before it is whole.
            self._reader = _connect(path)
            self._providers = _read_providers(self._reader)

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        with self._telling():
            return _cursor(self._reader)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        records = [(entry.seq, record) for entry in entries if (record := directory_record(entry)) is not None]
        if not entries:
            return
        with self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                cursor = _cursor(self._db)
                for seq, record in records:
                    if seq > cursor:
                        self._db.execute(*_change(seq, record))
                self._db.execute(_ADVANCE, (max(cursor, entries[-1].seq),))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if records:
                # Also when another process applied them: its change has to be seen here too.
                self._providers = _read_providers(self._db)

    def providers(self) -> list[Provider]:
        """All providers, oldest first."""
        return list(self._providers.values())

    def provider(self, provider_id: str) -> Provider | None:
        """The provider with this id, or None."""
        return self._providers.get(provider_id)

    def default_provider(self) -> Provider | None:
        """The provider the org started with, or None when it was deleted."""
        return next((provider for provider in self._providers.values() if provider.is_default), None)

    def principal_of(self, token: str) -> Principal | None:
        """
        Whose token this is, or None when it is unknown.

        How long that takes tells at most how the hash of a guess sorts among the hashes kept. Nobody can get from
        there to a token: it has 238 random bits, and SHA-256 cannot be turned back.
        """
        with self._telling():
            row = self._reader.execute(_TOKEN_BY_HASH, (token_hash(token),)).fetchone()
        return Principal(row[0], row[1], Role(row[2])) if row else None

    def token_named(self, name: str) -> Principal | None:
        """The token of this name, or None."""
        with self._telling():
            row = self._reader.execute(_TOKEN_BY_NAME, (name,)).fetchone()
        return Principal(row[0], row[1], Role(row[2])) if row else None

    def close(self) -> None:
        """Let go of the file."""
        with self._telling():
            self._reader.close()
            self._db.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            with telling(self.path.parent):
                yield
        except sqlite3.Error as error:
            text = f"{self.path} cannot be used: {error}"
            raise OrgError(text, hint="it can be deleted while the org is stopped: it is made again") from error


def _open(path: Path) -> sqlite3.Connection:
    db = _connect(path)
    try:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            db.close()
            delete(path)
            db = _connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_TABLES)
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    except BaseException:
        db.close()
        raise
    return db


def _change(seq: int, record: DirectoryRecord) -> tuple[str, tuple[object, ...]]:
    """The statement that applies `record`, and its values."""
    match record:
        case ProviderCreated(at_ms=at_ms):
            given = (record.id, record.name, record.client_id, record.action, record.is_default)
            return _ADD_PROVIDER, (*given, at_ms, at_ms, seq)
        case ProviderReplaced():
            return _REPLACE_PROVIDER, (record.name, record.client_id, record.action, record.at_ms, record.id)
        case ProviderDeleted():
            return _DELETE_PROVIDER, (record.id,)
        case TokenCreated():
            return _ADD_TOKEN, (record.id, record.name, record.sha256, record.role, record.at_ms)


def delete(path: Path) -> None:
    """Delete the projection at `path`; nobody may have it open."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _cursor(db: sqlite3.Connection) -> int:
    (seq,) = db.execute(_CURSOR).fetchone()
    assert isinstance(seq, int)
    return seq


def _read_providers(db: sqlite3.Connection) -> dict[str, Provider]:
    return {
        provider_id: Provider(provider_id, name, client_id, RiskProviderAction(action), bool(is_default), *times)
        for provider_id, name, client_id, action, is_default, *times in db.execute(_PROVIDERS)
    }


def _connect(path: Path) -> sqlite3.Connection:
    _make(path)
    return sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)


def _make(path: Path) -> None:
    """An empty file for its owner alone, where there is none; SQLite would let everybody read it."""
    try:
        # EXCL, so that one that is there is not even opened: to close it again would drop the locks that this process'
        # other connections hold on it, and the next process to end would take the write-ahead log away from under us.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
