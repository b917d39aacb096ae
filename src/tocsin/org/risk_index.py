"""What each provider says about each IP: the risk index, a projection of the journal in LMDB.

    ips         key of an IP -> what is held about it; how both look is told in `held`
    providers   number of a provider, 4 bytes -> its id
    meta        cursor, layout

Messages stay in the journal. State and cursor move in one transaction, which re-reads the cursor inside, so several
processes may apply. LMDB copies each page it changes and keeps the old one a while: how many entries share a
transaction is a choice between speed and disk.
"""

import shutil
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import lmdb

from tocsin.journal import Entry
from tocsin.org.assertions import Assertion
from tocsin.org.boot_mark import BootMark
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.held import (
    Broom,
    Said,
    Word,
    full_key,
    older,
    said_by,
    stored_key,
    words,
)
from tocsin.org.records import RiskCarried, RiskEventsConsumed, asserted_record

STEP_IPS = 2048  # a walk looks at so many in about a millisecond
LAYOUT = b"2"  # an index with another one is deleted and made again
_MAP_BYTES = 64 * 1024**3  # address space, not disk: 800 million IPs
_NUMBER = struct.Struct("<I")
_SEQ = struct.Struct("<q")
# One full request in a transaction for so many IPs held: random IPs change a page each, and it is a fifth of all pages.
# With twice as many a transaction applying is a tenth faster, and each IP costs 20 bytes more on disk.
_IPS_PER_ENTRY = 200_000
_Record = RiskEventsConsumed | RiskCarried


class Look(NamedTuple):
    """What one look at the index saw, all of one moment."""

    assertions: list[Assertion]
    cursor: int


class Straggler(NamedTuple):
    """An assertion of an old entry that is not out of the way yet."""

    key: bytes
    """16 bytes."""
    provider_id: str
    word: Word


class Stragglers(NamedTuple):
    """Those of one step of a walk, and where to walk on from; None at the end."""

    found: list[Straggler]
    next: bytes | None


class Page(NamedTuple):
    """One step of a walk over all IPs, and where to walk on from; None at the end."""

    found: list[tuple[bytes, list[Assertion]]]
    """16-byte keys, with all that is held about each, expired or not."""
    next: bytes | None


def place_of(key: bytes) -> bytes:
    """Where the IP of a 16-byte `key` stands in the index. IPv4 addresses stand in order, so do the others."""
    return stored_key(key)


class RiskIndex:
    """The open index. `look_up` may run in another thread than `apply` and `sweep`."""

    def __init__(self, path: Path, *, remake: bool = True) -> None:
        """
        Open or make the index in the folder `path`.

        Args:
            remake: False for who only looks: what is torn or of another layout is left as it is, and raises OrgError.
        Raises: OrgError, when it cannot be opened.
        """
        self.path = path
        with self._telling():
            self._mark = BootMark(path.with_name(path.name + ".boot"), remakes=remake)
            try:
                self._env = _open_marked(path, self._mark, remake)
            except BaseException:
                self._mark.abandon()
                raise
            self._ips = self._env.open_db(b"ips")
            self._provider_ids = self._env.open_db(b"providers")
            self._meta = self._env.open_db(b"meta")
            self._known: dict[int, str] = {}

    def cursor(self) -> int:
        """Seq of the last entry applied."""
        with self._telling(), self._env.begin() as txn:
            return self._cursor(txn)

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply those of `entries`, in order, that lie beyond the cursor. On an error the cursor says how many."""
        at_once = max(1, len(self) // _IPS_PER_ENTRY)
        for start in range(0, len(entries), at_once):
            some = entries[start : start + at_once]
            records = [(entry.seq, record) for entry in some if (record := asserted_record(entry)) is not None]
            with self._telling(), self._env.begin(write=True) as txn:
                cursor = self._cursor(txn)
                self._apply_records(txn, [(seq, record) for seq, record in records if seq > cursor])
                txn.put(b"cursor", _SEQ.pack(max(cursor, some[-1].seq)), db=self._meta)

    def pass_over(self, up_to: int) -> bool:
        """Leave out what stands in the journal up to this seq, if nothing was applied yet. Returns: whether it was."""
        with self._telling(), self._env.begin(write=True) as txn:
            is_new = self._cursor(txn) == 0
            if is_new:
                txn.put(b"cursor", _SEQ.pack(up_to), db=self._meta)
            return is_new

    def look_up(self, key: bytes) -> Look:
        """All that is held about the IP of a 16-byte `key`, expired or not."""
        with self._telling(), self._env.begin() as txn:
            held = txn.get(stored_key(key), db=self._ips, default=b"")
            return Look([self._assertion(txn, word) for word in words(held)], self._cursor(txn))

    def sweep(self, start: bytes, *, until_ms: int, providers: Collection[str], limit: int) -> bytes | None:
        """
        Forget what is out of the way at `until_ms`, and what was said by others than `providers`: one small step.

        Args:
            start: the key to walk on from; `b""` for the first.
            limit: how many IPs to look at.
        Returns: where to walk on from, None at the end.
        """
        with self._telling():
            with self._env.begin() as txn:
                step = list(self._walk(txn, start, limit + 1))
                live = {number for number, name in self._numbers(txn) if name in providers}
            broom = Broom(until_ms=until_ms, live=live)
            stale = [key for key, held in step[:limit] if broom.leaves(held) is not held]
            if stale:
                self._forget(stale, broom)
            return step[limit][0] if len(step) > limit else None

    def stragglers(self, start: bytes, *, before: int, at_ms: int, limit: int) -> Stragglers:
        """
        What is held from entries before the seq `before` and not out of the way at `at_ms`: one small step.

        Args: as those of `sweep`.
        """
        before_seq = before.to_bytes(5)
        with self._telling(), self._env.begin() as txn:
            step = list(self._walk(txn, start, limit + 1))
            found = [
                Straggler(full_key(key), self._provider_id(txn, word.number), word)
                for key, held in step[:limit]
                if older(held, before_seq)
                for word in words(held)
                if word.seq < before and word.until_ms > at_ms
            ]
        return Stragglers(found, step[limit][0] if len(step) > limit else None)

    def still_held(self, stragglers: Sequence[Straggler]) -> list[Straggler]:
        """Those of `stragglers` that are held as they are."""
        with self._telling(), self._env.begin(db=self._ips) as txn:
            return [s for s in stragglers if s.word in words(txn.get(stored_key(s.key), default=b""))]

    def page(self, start: bytes, *, limit: int, last: bytes | None = None) -> Page:
        """
        At most `limit` IPs from the place `start` on, `b""` for the first, up to the place `last`.

        A walk of many short steps sees an IP once, as it is at that moment; one snapshot for all of them would keep
        every page that changes meanwhile.
        """
        with self._telling(), self._env.begin() as txn:
            step = list(self._walk(txn, start, limit + 1))
            found = [
                (full_key(key), [self._assertion(txn, word) for word in words(held)])
                for key, held in step[:limit]
                if last is None or key <= last
            ]
        ended = len(step) <= limit or (last is not None and step[limit][0] > last)
        return Page(found, None if ended else step[limit][0])

    def dump(self) -> Iterator[tuple[bytes, list[Assertion]]]:
        """Every 16-byte IP key with all that is held about it, in the order of the file."""
        with self._telling(), self._env.begin() as txn:
            for key, held in txn.cursor(db=self._ips):
                yield full_key(key), [self._assertion(txn, word) for word in words(held)]

    def __len__(self) -> int:
        """How many IPs are held, expired ones that were not swept yet among them."""
        with self._telling(), self._env.begin() as txn:
            return int(txn.stat(self._ips)["entries"])

    def copy(self, to: BinaryIO) -> None:
        """Write the index, as it is at one moment, into a file as LMDB has it; others may apply meanwhile."""
        with self._telling():
            self._env.copyfd(to.fileno())

    def close(self) -> None:
        """Sync to disk and let go."""
        with self._telling():
            self._env.sync(True)
            self._env.close()
            self._mark.leave()

    def _apply_records(self, txn: "lmdb.Transaction[bytes]", records: Iterable[tuple[int, _Record]]) -> None:
        news: list[Said] = []
        for seq, record in records:
            news += said_by(record, seq, self._number(txn, record.provider_id))
        # In key order, so that neighbours share the pages they are read from and written to. The sort is stable: what
        # is said of one IP stays in the order of the journal.
        news.sort(key=itemgetter(0))
        cursor = txn.cursor(db=self._ips)
        for key, word, merged in news:
            held = cursor.replace(key, word)  # one way down the tree: most IPs are new, or told of again
            if held is not None and (left := merged(held, word)) is not word:
                cursor.put(key, left)

    def _forget(self, keys: Iterable[bytes], broom: Broom) -> None:
        with self._env.begin(write=True, db=self._ips) as txn:
            for key in keys:
                kept = broom.leaves(txn.get(key, default=b""))
                if kept:
                    txn.put(key, kept)
                else:
                    txn.delete(key)

    def _walk(self, txn: "lmdb.Transaction[bytes]", start: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        cursor = txn.cursor(db=self._ips)
        if cursor.set_range(start) if start else cursor.first():
            for _, item in zip(range(limit), cursor.iternext(), strict=False):
                yield item

    def _cursor(self, txn: "lmdb.Transaction[bytes]") -> int:
        stored = txn.get(b"cursor", db=self._meta)
        return 0 if stored is None else int(_SEQ.unpack(stored)[0])

    def _number(self, txn: "lmdb.Transaction[bytes]", provider_id: str) -> int:
        """The number of a provider, the next one at first sight. A rebuild meets them in the same order."""
        for number, known in self._numbers(txn):
            if known == provider_id:
                return number
        number = txn.stat(self._provider_ids)["entries"] + 1
        txn.put(_NUMBER.pack(number), provider_id.encode(), db=self._provider_ids)
        return int(number)

    def _numbers(self, txn: "lmdb.Transaction[bytes]") -> Iterator[tuple[int, str]]:
        for number, provider_id in txn.cursor(db=self._provider_ids):
            yield _NUMBER.unpack(number)[0], provider_id.decode()

    def _assertion(self, txn: "lmdb.Transaction[bytes]", word: Word) -> Assertion:
        provider_id = self._provider_id(txn, word.number)
        return Assertion(provider_id, word.severity, word.observed_ms, word.expires_ms, word.seq, word.position)

    def _provider_id(self, txn: "lmdb.Transaction[bytes]", number: int) -> str:
        provider_id = self._known.get(number)
        if provider_id is None:
            stored = txn.get(_NUMBER.pack(number), db=self._provider_ids)
            assert stored is not None
            provider_id = self._known[number] = stored.decode()
        return provider_id

    def _telling(self) -> "_Telling":
        return _Telling(self.path)


class _Telling:
    """Errors of LMDB and of the file system as OrgErrors. No generator: those take as long as a look-up does."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, lmdb.Error):
            text = f"{self._path} cannot be used: {error}"
            raise OrgError(text, hint="check the disk, then stop the org, and run `tocsin rebuild`") from error
        if isinstance(error, OSError):
            with telling(self._path.parent):
                raise error


def _open_marked(path: Path, mark: BootMark, remake: bool) -> lmdb.Environment:
    """The environment at `path`; a torn one, and one of another layout that nobody uses, is made anew."""
    if mark.alone:
        if path.exists() and (mark.torn or not _has_layout(path)):
            if not remake:
                was = "was in use when the machine went down" if mark.torn else "is another version's"
                raise OrgError(f"{path} {was}", hint="serve the org once: its index is then made again")
            shutil.rmtree(path)
        mark.share()  # before it is opened for use: to share, the lock has to be let go for a moment
    env = _open(path)
    if env is None:
        text = f"{path} is in use by another version of tocsin"
        raise OrgError(text, hint="stop that one first; the index is then made again")
    return env


def _has_layout(path: Path) -> bool:
    env = _open(path)
    if env is not None:
        env.close()
    return env is not None


def _open(path: Path) -> lmdb.Environment | None:
    """The environment at `path`, made when there is none, or None when it has another layout."""
    env = _environment(path)
    with env.begin(write=True) as txn:
        meta = env.open_db(b"meta", txn=txn)
        txn.put(b"layout", LAYOUT, db=meta, overwrite=False)
        layout = txn.get(b"layout", db=meta)
    if layout == LAYOUT:
        env.reader_check()  # forget readers that were killed: they would keep old pages from being used again
        return env
    env.close()
    return None


def _environment(path: Path) -> lmdb.Environment:
    path.mkdir(mode=0o700, exist_ok=True)
    return lmdb.open(str(path), map_size=_MAP_BYTES, max_dbs=3, mode=0o600, sync=False, readahead=False)
