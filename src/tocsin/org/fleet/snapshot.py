"""A snapshot of a node: what its orgs' journals were made into, for a new node to begin with. It may run meanwhile.

marker.json    that it is one, of which format, and of which fleet
orgs/NAME/     marker.json, directory.db, feed.db, log.db, index/data.mdb, as they are in a node's folder
SHA256SUMS     of the files of orgs, as `sha256sum` writes and checks them

Neither a journal nor a secret is in it. Each projection is as it was at one moment, with its own cursor, so they need
not be of the same moment. Taken it is whole or has no name; a folder that it is restored into is a new node's, or
refused until the restore is ended.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from tocsin.journal.copy import sync
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.folder import RESTORING, OrgFiles
from tocsin.org.marker import NODE, NODE_ORG, SNAPSHOT, UNFINISHED, Marker, kind_of, make_ours, mark, write_whole
from tocsin.org.private_sqlite import connect, telling_of
from tocsin.org.risk_index import RiskIndex

_SUMS = "SHA256SUMS"
_SUM = re.compile(
    r"([0-9a-f]{64})  (orgs/[a-z0-9-]{1,63}/(?:marker\.json|directory\.db|feed\.db|log\.db|index/data\.mdb))"
)
_OF_AN_EMPTY_NODE = {"marker.json", "lock"}
_PAGES_AT_ONCE = 1024
_BYTES_AT_ONCE = 8 * 1024**2
_TELL_EVERY_S = 0.1
_NOT_WHOLE = "copy it again from where it was taken, or take another"
Progress = Callable[[int, int], None]
"""Told how many bytes are done, and of how many."""


def take(path: Path, to: Path, *, org: str | None, on_progress: Progress) -> dict[str, int]:
    """
    Make the new folder `to` a snapshot of the node's data folder at `path`, mode 0700.

    Args:
        org: the name of one alone; None for all that are here.
    Returns: for each org, the seq up to which its risk index has its journal, or a little further.
    Raises: OrgError, when `path` is no node's folder or damaged, or `to` cannot be made, is in it or there already.
    """
    node = NodeFolder.open(path, create=False)
    if Path(os.path.realpath(to)).is_relative_to(os.path.realpath(path)):
        raise OrgError(f"{to} is in the node's folder", hint="name a place outside it")
    orgs = _chosen(node, org)
    meter = _Meter(2 * sum(map(_bytes, orgs.values())), on_progress)
    with _whole_or_not_at_all(to) as unfinished:
        mark(unfinished, Marker(SNAPSHOT, fleet=node.fleet))
        applied = {name: _copy(files, unfinished / "orgs" / name, meter) for name, files in orgs.items()}
        files = sorted(file for file in unfinished.rglob("*/*") if file.is_file())
        sums = [f"{_put_on_disk(file, None, meter)}  {file.relative_to(unfinished)}\n" for file in files]
        write_whole(unfinished / _SUMS, "".join(sums).encode())
    return applied


def restore(snapshot: Path, path: Path, *, on_progress: Progress) -> list[str]:
    """
    Make the new or empty folder at `path` the data folder of a node that begins with `snapshot`.

    Returns: the names of the orgs that are in it.
    Raises: OrgError, when the folder is not empty, or `snapshot` is none, not whole, or of a newer version.
    """
    fleet, sums = _read(snapshot)
    with _telling(snapshot):
        meter = _Meter(sum((snapshot / name).stat().st_size for name in sums), on_progress)
    node = _to_restore(path)
    with node.serving(), _telling(path):
        (path / RESTORING).touch(mode=0o600)
        sync(path)
        shutil.rmtree(path / "orgs", ignore_errors=True)
        for name, digest in sums.items():
            _make_folder((path / name).parent)
            with _new(path / name) as copy:
                if _put_on_disk(snapshot / name, copy, meter) != digest:
                    raise OrgError(f"{snapshot} is not whole: {name} is not what was written", hint=_NOT_WHOLE)
        _sync_folders(path)
        mark(path, Marker(NODE, fleet=fleet))
        (path / RESTORING).unlink()
        sync(path)
    return list(node.orgs())


def _chosen(node: NodeFolder, org: str | None) -> dict[str, OrgFiles]:
    orgs = node.orgs()
    chosen = {name: files for name, files in orgs.items() if org in (None, name)}
    if not chosen:
        asked = "no org" if org is None else f"no org {org}"
        raise OrgError(f"{node.path} has {asked}", hint=f"it has {', '.join(orgs)}" if orgs else "serve it first")
    return chosen


def _copy(files: OrgFiles, to: Path, meter: "_Meter") -> int:
    with files.in_use():
        _make_folder(to)
        # The note first, and those last that are applied first: none is then further than what it rests on.
        mark(to, make_ours(files.path, NODE_ORG, create=False))
        _copy_sqlite(files.log, to, meter)
        _copy_sqlite(files.feed, to, meter)
        applied = _copy_index(files.index, to / "index", meter)
        _copy_sqlite(files.directory, to, meter)
        return applied


def _copy_sqlite(source: Path, to: Path, meter: "_Meter") -> None:
    if not source.exists():
        return
    size = source.stat().st_size
    hint = "`tocsin doctor` says more; `tocsin rebuild` makes it again"
    with telling_of(source, hint=hint), closing(connect(source)) as db, closing(connect(to / source.name)) as copy:
        # In a transaction, which a first read begins, or each that is applied meanwhile would make it begin again.
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.backup(
            copy,
            pages=_PAGES_AT_ONCE,
            progress=lambda _, left, total: meter.within(size * (total - left) // max(1, total)),
        )
    meter.add(size)


def _copy_index(source: Path, to: Path, meter: "_Meter") -> int:
    """Returns: the seq of the last entry applied."""
    if not source.exists():
        return 0
    index = RiskIndex(source, remake=False)
    _make_folder(to)
    try:
        applied = index.cursor()
        with _new(to / "data.mdb") as file, ThreadPoolExecutor(max_workers=1) as thread:
            copying = thread.submit(index.copy, file)
            while wait([copying], _TELL_EVERY_S).not_done:
                meter.within(os.fstat(file.fileno()).st_size)
            copying.result()
            meter.add(os.fstat(file.fileno()).st_size)
    finally:
        index.close()
    return applied


def _put_on_disk(source: Path, to: BinaryIO | None, meter: "_Meter") -> str:
    """Sync the file `source`, or what is copied of it into the file `to`. Returns: its SHA-256 sum."""
    digest = hashlib.sha256()
    for some in _parts(source):
        digest.update(some)
        if to is not None:
            to.write(some)
        meter.add(len(some))
    if to is None:
        sync(source)
    else:
        to.flush()
        os.fsync(to.fileno())
    return digest.hexdigest()


def _parts(source: Path) -> Iterator[bytes]:
    """Raises OrgError that names the file."""
    with _telling(source), source.open("rb") as file:
        while some := file.read(_BYTES_AT_ONCE):
            yield some


def _read(snapshot: Path) -> tuple[str, dict[str, str]]:
    """Of which fleet it is, and the sums of its files by name. Raises OrgError."""
    if not snapshot.is_dir() or kind_of(snapshot) != SNAPSHOT:
        raise OrgError(f"{snapshot} is no snapshot of a node", hint="name what `tocsin backup` wrote")
    marker = make_ours(snapshot, SNAPSHOT, create=False)
    with _telling(snapshot):
        lines = (snapshot / _SUMS).read_text(errors="replace").splitlines()
    read = [_SUM.fullmatch(line) for line in lines]
    sums = {one[2]: one[1] for one in read if one is not None}
    if not sums or len(sums) != len(lines):
        raise OrgError(f"{snapshot} is not whole: {_SUMS} cannot be understood", hint=_NOT_WHOLE)
    for name in sums:
        if not (snapshot / name).is_file():
            raise OrgError(f"{snapshot} is not whole: {name} is not there", hint=_NOT_WHOLE)
    return marker.fleet, sums


def _to_restore(path: Path) -> NodeFolder:
    with telling(path):
        names = {file.name for file in path.iterdir()} if path.exists() else set[str]()
    if RESTORING not in names and not {name for name in names if not name.startswith(UNFINISHED)} <= _OF_AN_EMPTY_NODE:
        hint = "name an empty folder; of a node's nothing is lost when it is deleted"
        raise OrgError(f"{path} is not empty; it was left as it is", hint=hint)
    return NodeFolder.open(path, half_restored=True)


@contextmanager
def _whole_or_not_at_all(to: Path) -> Iterator[Path]:
    """A folder of another name, which is called `to` when all went well."""
    if os.path.lexists(to):
        raise OrgError(f"{to} is there already; it was left as it is", hint="name another, or move that one away")
    with _telling(to):
        unfinished = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}."))  # made with mode 0700
        try:
            yield unfinished
            _sync_folders(unfinished)
            unfinished.rename(to)
            sync(to.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _telling(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"{place} cannot be used: {error.strerror or error}"
        raise OrgError(text, hint="check the path and the disk") from error


def _sync_folders(path: Path) -> None:
    for folder in (path, *(inner for inner in path.rglob("*") if inner.is_dir())):
        sync(folder)


def _make_folder(path: Path) -> None:
    """With those above it, for its owner alone, where they are not there."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700)


def _new(path: Path) -> BinaryIO:
    """A new file for its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _bytes(files: OrgFiles) -> int:
    copied = (files.directory, files.feed, files.log, files.index / "data.mdb")
    return sum(file.stat().st_size for file in copied if file.exists())


class _Meter:
    """Counts bytes of one thing after another, and tells of it."""

    def __init__(self, total: int, told: Progress) -> None:
        self._total, self._told, self._done = total, told, 0

    def within(self, done: int) -> None:
        """So many of the thing that is at hand."""
        self._told(min(self._done + done, self._total), self._total)

    def add(self, done: int) -> None:
        """It is done, and was so many."""
        self._done += done
        self.within(0)
