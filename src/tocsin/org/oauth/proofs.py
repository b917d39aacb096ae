"""Which DPoP proofs were used: each works once, for the five minutes that it is good. Source: RFC 9449, 11.1.

Of this machine alone and not journaled: a proof lives five minutes, and a hot door cannot wait for an fsync on each.
Nothing here is ever synced, and a killed process loses nothing by that, for what it wrote the system still has. When
the machine itself goes down, or the file is not there, what was used before is not known: then proofs that were made
before the file was count as used, and clients make new ones.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from tocsin.org.boot_mark import BOOT_ID, BootMark
from tocsin.org.oauth.dpop import GOOD_FOR_S, Proof
from tocsin.org.private_sqlite import connect, delete, telling_of

# A proof is good for 300 s from its own time, and its clock may be ahead by a setting of at most 60 s.
KEPT_S = GOOD_FOR_S + 120
_FORGET_EVERY = 64
_TABLES = """
CREATE TABLE IF NOT EXISTS known (from_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS used (digest BLOB PRIMARY KEY, until_s REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_by_end ON used (until_s);
"""
_BEGIN = "INSERT INTO known SELECT ? WHERE NOT EXISTS (SELECT * FROM known)"
_KNOWN = "SELECT from_s FROM known"
_USE = "INSERT OR IGNORE INTO used VALUES (?, ?)"
_TAKE_BACK = "DELETE FROM used WHERE digest = ?"
_FORGET = "DELETE FROM used WHERE digest IN (SELECT digest FROM used WHERE until_s < ? ORDER BY until_s LIMIT ?)"


class UsedProofs:
    """See `Proofs`: those used on this machine. Blocking and quick; belongs to one thread."""

    def __init__(self, path: Path, *, now: float, boot_id: Path = BOOT_ID) -> None:
        """
        Open or make the file at `path`, with a note about its trust beside it.

        Args:
            now: epoch seconds.
        Raises: OrgError, when that cannot be.
        """
        self._path = path
        with self._telling():
            self._mark = BootMark(path.with_suffix(".boot"), boot_id=boot_id)
            try:
                if self._mark.alone and self._mark.torn:
                    delete(path)
                self._db = connect(path)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")
                self._db.executescript(_TABLES)
                self._db.execute(_BEGIN, (int(now),))  # most clients tell whole seconds
                (self._known_from,) = self._db.execute(_KNOWN).fetchone()
                if self._mark.alone:
                    self._mark.share()
            except BaseException:
                self._mark.abandon()
                raise
        self._uses = 0

    async def use(self, proof: Proof, *, now: float) -> bool:
        """Use up `proof` at epoch second `now`: True the first time, and never again. Raises OrgError."""
        if proof.issued_s < self._known_from:
            return False
        with self._telling():
            is_new = self._db.execute(_USE, (proof.digest, now + KEPT_S)).rowcount == 1
            self._uses += 1
            if self._uses % _FORGET_EVERY == 0:
                self._db.execute(_FORGET, (now, 2 * _FORGET_EVERY))
        return is_new

    async def take_back(self, proof: Proof) -> None:
        """The request that used `proof` came to nothing through our fault, and may come again as it is."""
        with self._telling():
            self._db.execute(_TAKE_BACK, (proof.digest,))

    def __len__(self) -> int:
        """How many are remembered."""
        (count,) = self._db.execute("SELECT count(*) FROM used").fetchone()
        return int(count)

    def close(self) -> None:
        """Let go of the file."""
        with self._telling():
            self._db.close()
            self._mark.leave()

    def _telling(self) -> AbstractContextManager[None]:
        return telling_of(self._path, hint="it can be deleted while the org is stopped: it is made again")
