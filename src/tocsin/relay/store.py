"""The file under the outbox: one LMDB environment, its tables, and how their keys are made."""

import fcntl
import os
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import lmdb

from tocsin.journal.copy import sync
from tocsin.relay.errors import RelayError
from tocsin.relay.mapped_pages import MappedPages

SCHEMA = b"1"
LOOK_KEYS = 1_000
"""Looked up or written in one go: each may bring 64 KiB of the file into memory."""
Txn: TypeAlias = "lmdb.Transaction[bytes]"
ROOM_BYTES = 64 * 1024**3
"""How large the file may become; address space, not disk."""
_TABLES = (b"ips", b"pending", b"due", b"books", b"quarantine")
_DUE = struct.Struct(">Q")
_PENDING = struct.Struct(">HBQ")
_TARGET_PREFIX = 2


class Store:
    """
    The open file.

        ips         16-byte IP key -> its record (`record.py`)
        pending     target, rank, since when (ms), IP
        due         moment (ms), IP
        books       sources, targets, counts (`books.py`)
        quarantine  what was refused (`books.py`)
    """

    def __init__(self, path: Path, *, room_bytes: int = ROOM_BYTES, compact_from_bytes: int = 64 * 1024**2) -> None:
        """
        Open or make it in the folder `path`. Raises RelayError when that cannot be.

        Args:
            room_bytes: how large it may become.
            compact_from_bytes: a smaller file is not worth it.
        """
        self.path = path
        self._transactions = 0
        with self._telling():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._in_use = os.open(path / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _compact_if_alone(path, self._in_use, compact_from_bytes)
            self._env = _environment(path, room_bytes)
            self._pages = MappedPages(path / "data.mdb")
            with self._env.begin(write=True) as txn:
                self.ips, self.pending, self.due, self.books, self.quarantine = (
                    self._env.open_db(name, txn=txn) for name in _TABLES
                )
                schema = txn.get(b"schema", db=self.books)
                if schema is None:
                    txn.put(b"schema", SCHEMA, db=self.books)
            self._check(schema or SCHEMA)
            self._env.reader_check()  # forget readers that were killed: they would keep old pages from being used again

    @contextmanager
    def writing(self) -> Iterator[Txn]:
        """One transaction, which is on disk when the block ends."""
        self._transactions += 1
        with self._telling(), self._env.begin(write=True) as txn:
            yield txn

    @contextmanager
    def reading(self) -> Iterator[Txn]:
        """One view, all of one moment."""
        self._transactions += 1
        with self._telling(), self._env.begin() as txn:
            yield txn

    def let_memory_go(self, *, after: int = 1) -> None:
        """
        Hand pages of the file that were looked at back to the system.

        Args:
            after: not before so many transactions.
        """
        if self._transactions >= after:
            self._transactions = 0
            self._pages.let_go()

    def got(self, txn: Txn, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """What is stored about each of these IP keys, which are sorted."""
        for at in range(0, len(keys), LOOK_KEYS):
            some = keys[at : at + LOOK_KEYS]
            stored: dict[bytes, bytes] = dict(txn.cursor(db=self.ips).getmulti(some))
            for key in some:
                yield key, stored.get(key)
            self._pages.let_go()

    def between(self, txn: Txn, first: bytes, before: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """All IP keys from `first` on and below `before` (None for no end) with what is stored about them."""
        cursor = txn.cursor(db=self.ips)
        if cursor.set_range(first) if first else cursor.first():
            for at, (key, stored) in enumerate(cursor, 1):
                if before is not None and key >= before:
                    return
                yield key, stored
                if not at % LOOK_KEYS:
                    self._pages.let_go()

    def put_all(self, txn: Txn, table: "lmdb._Database", changes: Mapping[bytes, bytes | None]) -> None:
        """Write `changes` in key order, so that neighbours share the pages they are written to; None deletes."""
        keys = sorted(changes)
        for at in range(0, len(keys), LOOK_KEYS):
            puts = []
            for key in keys[at : at + LOOK_KEYS]:
                value = changes[key]
                if value is None:
                    txn.delete(key, db=table)
                else:
                    puts.append((key, value))
            txn.cursor(db=table).putmulti(puts)
            self._pages.let_go()

    def close(self) -> None:
        """Let go."""
        self._env.close()
        os.close(self._in_use)

    def _check(self, schema: bytes) -> None:
        if schema != SCHEMA:
            self.close()
            text = f"{self.path} was written by another version (schema {schema.decode()}); it was left as it is"
            raise RelayError(text, hint="use that version again")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            text = f"the outbox {self.path} cannot be used: {error}"
            raise RelayError(text, hint="check path and disk; what was taken in before is all there") from error


def pending_entry(target: int, rank: int, since_ms: int, key: bytes = b"") -> bytes:
    """A key of `pending`: its order is that of the work."""
    return _PENDING.pack(target, rank, since_ms) + key


def pending_fields(entry: bytes) -> tuple[int, int, bytes]:
    """Rank, since when (ms) and the IP key of such a key."""
    _, rank, since_ms = _PENDING.unpack_from(entry)
    return rank, since_ms, entry[_PENDING.size :]


def due_entry(moment_ms: int, key: bytes = b"") -> bytes:
    """A key of `due`."""
    return _DUE.pack(moment_ms) + key


def due_fields(entry: bytes) -> tuple[int, bytes]:
    """Moment (ms) and IP key of such a key."""
    return int(_DUE.unpack_from(entry)[0]), entry[_DUE.size :]


def pending_entries(store: Store, txn: Txn, target: int, least_rank: int = 0) -> Iterator[bytes]:
    """The pending entries of one target, from a rank on, in order."""
    cursor, start = txn.cursor(db=store.pending), pending_entry(target, least_rank, 0)
    if cursor.set_range(start):
        for entry in cursor.iternext(keys=True, values=False):
            if entry[:_TARGET_PREFIX] != start[:_TARGET_PREFIX]:
                return
            yield entry


def walk(store: Store, txn: Txn, start: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """At most so many IP keys with what is stored about them, from `start` on."""
    cursor = txn.cursor(db=store.ips)
    if not (cursor.set_range(start) if start else cursor.first()):
        return []
    return [item for _, item in zip(range(limit), cursor.iternext(), strict=False)]


def _environment(path: Path, room_bytes: int = ROOM_BYTES) -> lmdb.Environment:
    return lmdb.open(str(path), map_size=room_bytes, max_dbs=len(_TABLES), mode=0o600, readahead=False)


def _compact_if_alone(path: Path, in_use: int, from_bytes: int) -> None:
    """Give the disk back what is mostly free, unless another process has the file open: then some other time."""
    with suppress(BlockingIOError):
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _compact(path, from_bytes)
    fcntl.flock(in_use, fcntl.LOCK_SH)


def _compact(path: Path, from_bytes: int) -> None:
    file, beside = path / "data.mdb", path / "compacted"
    shutil.rmtree(beside, ignore_errors=True)  # left there by a crash
    if not file.exists() or file.stat().st_size < from_bytes:
        return
    env = _environment(path)
    try:
        if 2 * _used_bytes(env) > file.stat().st_size:
            return
        beside.mkdir(mode=0o700)
        env.copy(str(beside), compact=True)
    finally:
        env.close()
    (beside / "data.mdb").chmod(0o600)
    sync(beside / "data.mdb")
    (beside / "data.mdb").replace(file)  # whole, or not at all
    sync(path)
    beside.rmdir()


def _used_bytes(env: lmdb.Environment) -> int:
    tables = [env.open_db(name) for name in _TABLES]
    with env.begin() as txn:
        stats = [txn.stat(table) for table in tables]
    return sum(s["psize"] * (s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"]) for s in stats)
