"""The org's data folder: made on first use, recognised ever after, and served by one process at a time.

marker.json   whose folder this is, and which version wrote it
journal.db    the journal: the only thing in here that cannot be made again
directory.db  projection: who may ask, who asserts, who was let in, what the policy is
feed.db       projection: when assertions end; and how far each bouncer has come
log.db        projection: where the events of the System Log are
index/        projection: the risk index
index.boot    whether that can be trusted
secret        opens the signing keys that are in the journal; without it new ones are made
uses.db       when each API token was last used
proofs.db     which DPoP proofs were used in the last minutes
proofs.boot   whether that can be trusted
lock          held by the one `serve`
users.lock    shared by all who have it open
restoring     there while a restore changes the folder
replaced-N/   journals that a restore has put aside; may be deleted

An org of a node of a fleet has a folder too (`fleet/folder.py`): with projections, and neither journal nor secret.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tocsin.org.backing import Backing, OwnFiles
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import ELSEWHERE, telling
from tocsin.org.locks import ALONE, SHARED, locked, serving
from tocsin.org.marker import ORG, make_ours
from tocsin.org.private_sqlite import with_its_log

RESTORING = "restoring"
_USERS = "users.lock"
_OF_THE_FLEET = "back up the fleet's streams, with `nats stream backup`; a node's folder is made again from them"


class OrgFiles:
    """The folder of an org, of its own or in a node's: what is made again from the journal, and who has it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = path / "directory.db"
        self.feed = path / "feed.db"
        self.log = path / "log.db"
        self.index = path / "index"

    def projections(self) -> list[Path]:
        """All that is made again from the journal when it is missing."""
        in_sqlite = [file for of in (self.directory, self.feed, self.log) for file in with_its_log(of)]
        return [*in_sqlite, self.index, self.index.with_name(self.index.name + ".boot")]

    def delete_projections(self) -> None:
        """For one who is alone in it: they are made again from the journal. Raises OrgError."""
        with telling(self.path):
            for projection in self.projections():
                if projection.is_dir():
                    shutil.rmtree(projection)
                else:
                    projection.unlink(missing_ok=True)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Be one of those who have it open. Raises OrgError when somebody is alone in it."""
        busy = f"{self.path} is being rebuilt or restored by another process"
        with locked(self.path / _USERS, SHARED, busy, "wait for it to end"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who has it open, so that files may be replaced. Raises OrgError when others have."""
        busy = f"{self.path} is in use by another process"
        with locked(self.path / _USERS, ALONE, busy, f"stop that one first, or {ELSEWHERE}"):
            yield


class DataFolder(OrgFiles):
    """A folder that is known to be ours."""

    def __init__(self, path: Path, backing: Backing) -> None:
        """For `open`."""
        super().__init__(path)
        self.backing = backing
        self.uses = path / "uses.db"
        self.proofs = path / "proofs.db"

    @property
    def journal(self) -> Path:
        """The file of its journal. Raises OrgError when that is not among its files."""
        if isinstance(self.backing, OwnFiles):
            return self.backing.journal
        raise OrgError(f"{self.path} holds no journal: it is the fleet's", hint=_OF_THE_FLEET)

    @classmethod
    def open(cls, path: Path, *, create: bool = True, half_restored: bool = False) -> Self:
        """
        The data folder of an org at `path`, its journal in it.

        Args:
            create: make it (mode 0700) when there is none or an empty one; False to only look at one that is there.
            half_restored: also one that a restore was interrupted in.
        Raises: OrgError, if it cannot be made or written, is not ours, or was written by a newer version.
        """
        make_ours(path, ORG, create=create)
        if not half_restored:
            refuse_half_restored(path, "`tocsin restore --replace` ends it")
        return cls(path, OwnFiles(path))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the one process that serves this folder. Raises OrgError when another one is."""
        with serving(self.path):
            yield


def refuse_half_restored(path: Path, mend: str) -> None:
    """Raises OrgError, when a restore into the data folder at `path` was begun and not ended."""
    with telling(path):
        if (path / RESTORING).exists():
            raise OrgError(f"a restore into {path} was interrupted", hint=mend)
