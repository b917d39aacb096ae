"""When each API token was last used, to the minute. Of this machine alone, and not journaled: it is nobody's deed."""

from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from tocsin.org.errors import OrgError
from tocsin.org.private_sqlite import connect, telling_of

EVERY_MS = 60_000
_LOCK_WAIT_MS = 50  # for one who notes: all requests wait meanwhile
_log = structlog.get_logger("tocsin.org")
_TABLES = "CREATE TABLE IF NOT EXISTS last_uses (token_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID"
_NOTE = "INSERT INTO last_uses VALUES (?, ?) ON CONFLICT (token_id) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)"
_ALL = "SELECT token_id, at_ms FROM last_uses"


class OnceAMinute:
    """Which uses are to be written."""

    def __init__(self) -> None:
        self._noted: dict[str, int] = {}

    def is_due(self, token_id: str, at_ms: int) -> bool:
        """Whether the last one that was is a minute old; then this one counts as written."""
        if at_ms - self._noted.get(token_id, -EVERY_MS) < EVERY_MS:
            return False
        self._noted[token_id] = at_ms
        return True


class LastUses:
    """See `Uses`: of every token, in a file. Blocking and quick; belongs to one thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`. Raises OrgError when that cannot be."""
        self._path = path
        self._once = OnceAMinute()
        with self._telling():
            self._db = connect(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(_TABLES)
            self._db.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_MS}")

    def note(self, token_id: str, at_ms: int) -> None:
        """
        A token is used. Written at most once a minute, and so it is tried again only after one.

        What cannot be written is logged and raises nothing: a request is not refused for it.
        """
        if not self._once.is_due(token_id, at_ms):
            return
        try:
            with self._telling():
                self._db.execute(_NOTE, (token_id, at_ms))
        except OrgError as error:
            _log.error("token.use_not_noted", token=token_id, error=str(error), remedy=error.hint)

    async def all(self) -> dict[str, int]:
        """Epoch milliseconds by token id. Raises OrgError."""
        with self._telling():
            return dict(self._db.execute(_ALL).fetchall())

    def close(self) -> None:
        """Let go of the file."""
        with self._telling():
            self._db.close()

    def _telling(self) -> AbstractContextManager[None]:
        return telling_of(self._path, hint="it can be deleted while the org is stopped: it is made again")
