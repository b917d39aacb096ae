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
"""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from tocsin.org.errors import OrgError
from tocsin.org.file_errors import ELSEWHERE, telling
from tocsin.org.private_sqlite import with_its_log

KIND = "tocsin-org"
FORMAT = 2  # raised by a change that older versions cannot read
RESTORING = "restoring"
_MARKER = "marker.json"
_UNFINISHED = ".marker-"
_MARKER_MAX_BYTES = 4096
_SECRET_BYTES = 32


class _Marker(Struct, frozen=True):
    kind: str
    format: int


class DataFolder:
    """A folder that is known to be ours."""

    def __init__(self, path: Path) -> None:
        """For `open`."""
        self.path = path
        self.journal = path / "journal.db"
        self.directory = path / "directory.db"
        self.feed = path / "feed.db"
        self.log = path / "log.db"
        self.index = path / "index"
        self.uses = path / "uses.db"
        self.proofs = path / "proofs.db"

    def projections(self) -> list[Path]:
        """All that is made again from the journal when it is missing."""
        in_sqlite = [file for of in (self.directory, self.feed, self.log) for file in with_its_log(of)]
        return [*in_sqlite, self.index, self.index.with_name(self.index.name + ".boot")]

    @classmethod
    def open(cls, path: Path, *, create: bool = True, half_restored: bool = False) -> Self:
        """
        The data folder at `path`.

        Args:
            create: make it (mode 0700) when there is none or an empty one; False to only look at one that is there.
            half_restored: also one that a restore was interrupted in.
        Raises: OrgError, if it cannot be made or written, is not ours, or was written by a newer version.
        """
        with telling(path):
            if create:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {file.name for file in path.iterdir() if not file.name.startswith(_UNFINISHED)}
            if not names and create:
                _mark(path)
            elif _MARKER not in names:
                raise OrgError(f"{path} is not a data folder of an org; it was left as it is", hint=ELSEWHERE)
            _recognise(path)
            if RESTORING in names and not half_restored:
                raise OrgError(f"a restore into {path} was interrupted", hint="`tocsin restore --replace` ends it")
        return cls(path)

    def secret(self) -> bytes:
        """The folder's own secret, 32 random bytes, made on first use. Raises OrgError when there can be none."""
        place = self.path / "secret"
        with telling(self.path):
            if not place.exists():
                _write_whole(place, secrets.token_bytes(_SECRET_BYTES))
            secret = place.read_bytes()
        if len(secret) != _SECRET_BYTES:
            raise OrgError(f"{place} is damaged", hint="restore it; or delete it, and clients have to get new tokens")
        return secret

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the one process that serves this folder. Raises OrgError when another one is."""
        busy = f"{self.path} is already served by another process"
        with self._locked("lock", fcntl.LOCK_EX, busy, f"stop that one first, or {ELSEWHERE}"):
            yield

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Be one of those who have it open. Raises OrgError when somebody is alone in it."""
        busy = f"{self.path} is being rebuilt or restored by another process"
        with self._locked("users.lock", fcntl.LOCK_SH, busy, "wait for it to end"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who has it open, so that files may be replaced. Raises OrgError when others have."""
        busy = f"{self.path} is in use by another process"
        with self._locked("users.lock", fcntl.LOCK_EX, busy, f"stop that one first, or {ELSEWHERE}"):
            yield

    @contextmanager
    def _locked(self, name: str, how: int, busy: str, hint: str) -> Iterator[None]:
        with telling(self.path):
            handle = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, how | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OrgError(busy, hint=hint) from None
            yield
        finally:
            os.close(handle)  # and with it the lock goes


def is_data_folder(path: Path) -> bool:
    """Whether `path` looks like one."""
    return (path / _MARKER).is_file()


def _mark(path: Path) -> None:
    _write_whole(path / _MARKER, msgspec.json.encode(_Marker(KIND, FORMAT)))


def _write_whole(place: Path, content: bytes) -> None:
    """Write a file whole or not at all; when another process is quicker, its file is as good."""
    handle, unfinished = tempfile.mkstemp(dir=place.parent, prefix=_UNFINISHED)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, place)
        _sync_folder(place.parent)
    except FileExistsError:
        return
    finally:
        Path(unfinished).unlink()


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _recognise(path: Path) -> None:
    with (path / _MARKER).open("rb") as file:
        text = file.read(_MARKER_MAX_BYTES)
    try:
        marker = msgspec.json.decode(text, type=_Marker)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OrgError(f"{path / _MARKER} cannot be understood; it was left as it is", hint=ELSEWHERE) from None
    if marker.kind != KIND:
        raise OrgError(f"{path} is a data folder of {marker.kind!r}, not of an org", hint=ELSEWHERE)
    if marker.format < FORMAT:
        older = f"{path} was written before the first release (format {marker.format}; this one knows {FORMAT})"
        raise OrgError(f"{older}; it was left as it is", hint=ELSEWHERE)
    if marker.format > FORMAT:
        newer = f"{path} was written by a newer version (format {marker.format}; this one knows {FORMAT})"
        raise OrgError(f"{newer}; it was left as it is", hint="use that version again, or a later one")
