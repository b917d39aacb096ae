"""What each provider says about each IP: the risk index, a projection of the journal in LMDB.

    ips         16-byte IP key -> one 28-byte record for each provider that said something about it
    providers   number of a provider, 4 bytes -> its id
    meta        cursor, layout

A record is packed tight, for there may be 43 million: provider number and severity in 4 bytes, when observed, when it
expires, and where in the journal, 8 bytes each. Messages stay in the journal. State and cursor move in one
transaction, which re-reads the cursor inside, so several processes may apply.
"""

import shutil
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import lmdb

from tocsin.journal import Entry
from tocsin.org.assertions import Assertion, Life, life_of, replaces, subject_position
from tocsin.org.boot_mark import BootMark
from tocsin.org.errors import OrgError
from tocsin.org.folder import telling
from tocsin.org.records import RiskEventsConsumed, risk_record

LAYOUT = b"1"  # an index with another one is deleted and made again
_MAP_BYTES = 64 * 1024**3  # address space, not disk: 800 million IPs
_RECORD = struct.Struct("<Iqqq")  # provider number * 4 + severity, observed_ms, expires_ms, seq * 1024 + position
_NUMBER = struct.Struct("<I")
_SEQ = struct.Struct("<q")
_IP = struct.Struct("16s")
_POSITIONS = 1024


class Look(NamedTuple):
    """What one look at the index saw, all of one moment."""

    assertions: list[Assertion]
    cursor: int


class Page(NamedTuple):
    """One step of a walk over all IPs, and where to walk on from; None at the end."""

    found: list[tuple[bytes, list[Assertion]]]
    """16-byte keys, with all that is held about each, expired or not."""
    next: bytes | None


def place_of(key: bytes) -> bytes:
    """Where the IP of a 16-byte `key` stands in the index. IPv4 addresses stand in order, and so do the others."""
    return key


class RiskIndex:
    """The open index. `look_up` may run in another thread than `apply` and `sweep`."""

    def __init__(self, path: Path) -> None:
        """Open or make the index in the folder `path`. Raises OrgError when that cannot be."""
        self.path = path
        with self._telling():
            self._mark = BootMark(path.with_name(path.name + ".boot"))
            try:
                self._env = _open_marked(path, self._mark)
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
        """Apply those of `entries`, in order, that lie beyond the cursor. All of them, or on an error none."""
        records = [(entry.seq, record) for entry in entries if (record := risk_record(entry)) is not None]
        if not entries:
            return
        with self._telling(), self._env.begin(write=True) as txn:
            cursor = self._cursor(txn)
            self._apply_records(txn, [(seq, record) for seq, record in records if seq > cursor])
            txn.put(b"cursor", _SEQ.pack(max(cursor, entries[-1].seq)), db=self._meta)

    def look_up(self, key: bytes) -> Look:
        """All that is held about the IP of a 16-byte `key`, expired or not."""
        with self._telling(), self._env.begin() as txn:
            held = txn.get(key, db=self._ips, default=b"")
            return Look([self._assertion(txn, *fields) for fields in _RECORD.iter_unpack(held)], self._cursor(txn))

    def sweep(self, start: bytes, *, until_ms: int, providers: Collection[str], limit: int) -> bytes | None:
        """
        Forget what expired at or before `until_ms`, and what was said by others than `providers`: one small step.

        Args:
            start: the key to walk on from; `b""` for the first.
            limit: how many IPs to look at.
        Returns: where to walk on from, None at the end.
        """
        with self._telling():
            with self._env.begin() as txn:
                step = list(self._walk(txn, start, limit + 1))
                live = {number for number, name in self._numbers(txn) if name in providers}
            stale = [key for key, held in step[:limit] if _kept(held, until_ms, live) != held]
            if stale:
                self._forget(stale, until_ms, live)
            return step[limit][0] if len(step) > limit else None

    def page(self, start: bytes, *, limit: int, last: bytes | None = None) -> Page:
        """
        At most `limit` IPs from the place `start` on, `b""` for the first, up to the place `last`.

        A walk of many short steps sees an IP once, as it is at that moment; one snapshot for all of them would keep
        every page that changes meanwhile.
        """
        with self._telling(), self._env.begin() as txn:
            step = list(self._walk(txn, start, limit + 1))
            found = [
                (key, [self._assertion(txn, *fields) for fields in _RECORD.iter_unpack(held)])
                for key, held in step[:limit]
                if last is None or key <= last
            ]
        ended = len(step) <= limit or (last is not None and step[limit][0] > last)
        return Page(found, None if ended else step[limit][0])

    def dump(self) -> Iterator[tuple[bytes, list[Assertion]]]:
        """Every IP key with all that is held about it, in key order."""
        with self._telling(), self._env.begin() as txn:
            for key, held in txn.cursor(db=self._ips):
                yield key, [self._assertion(txn, *fields) for fields in _RECORD.iter_unpack(held)]

    def __len__(self) -> int:
        """How many IPs are held, expired ones that were not swept yet among them."""
        with self._telling(), self._env.begin() as txn:
            return int(txn.stat(self._ips)["entries"])

    def close(self) -> None:
        """Sync to disk and let go."""
        with self._telling():
            self._env.sync(True)
            self._env.close()
            self._mark.leave()

    def _apply_records(self, txn: "lmdb.Transaction[bytes]", records: list[tuple[int, RiskEventsConsumed]]) -> None:
        keys = sorted(
            {key for _, record in records for event in record.events for (key,) in _IP.iter_unpack(event.ips)}
        )
        before: dict[bytes, bytes] = dict(txn.cursor(db=self._ips).getmulti(keys))
        held = before.copy()
        for seq, record in records:
            _fold(held, seq, record, self._number(txn, record.provider_id))
        # In key order, so that neighbours share the pages they are written to.
        changed = [(key, held[key]) for key in keys if held[key] is not before.get(key)]
        txn.cursor(db=self._ips).putmulti(changed)

    def _forget(self, keys: Iterable[bytes], until_ms: int, live: Collection[int]) -> None:
        with self._env.begin(write=True, db=self._ips) as txn:
            for key in keys:
                kept = _kept(txn.get(key, default=b""), until_ms, live)
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

    def _assertion(
        self, txn: "lmdb.Transaction[bytes]", head: int, observed_ms: int, expires_ms: int, place: int
    ) -> Assertion:
        number, severity = divmod(head, 4)
        provider_id = self._known.get(number)
        if provider_id is None:
            stored = txn.get(_NUMBER.pack(number), db=self._provider_ids)
            assert stored is not None
            provider_id = self._known[number] = stored.decode()
        seq, position = divmod(place, _POSITIONS)
        return Assertion(provider_id, severity, observed_ms, expires_ms, seq, position)

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
            raise OrgError(text, hint="check the disk; stopped, it can be deleted: it is made again") from error
        if isinstance(error, OSError):
            with telling(self._path.parent):
                raise error


def _fold(held: dict[bytes, bytes], seq: int, record: RiskEventsConsumed, number: int) -> None:
    """Apply one request to what is held."""
    received_ms, pack = record.received_ms, _RECORD.pack
    for index, event in enumerate(record.events):
        observed_ms, expires_ms = life_of(event, received_ms=received_ms)
        place = seq * _POSITIONS + subject_position(index, 0)
        for (key,), severity in zip(_IP.iter_unpack(event.ips), event.severities, strict=True):
            said = pack(number * 4 + severity, observed_ms, expires_ms, place)
            others = held.get(key)
            held[key] = said if others is None else _merged(others, number, said, observed_ms, received_ms)
            place += 1


def _merged(held: bytes, number: int, said: bytes, observed_ms: int, received_ms: int) -> bytes:
    """The records of one IP after provider `number` said one more thing; the same object when that changes nothing."""
    for at in range(0, len(held), _RECORD.size):
        head, held_observed_ms, held_expires_ms, _ = _RECORD.unpack_from(held, at)
        if head // 4 == number:
            if replaces(Life(held_observed_ms, held_expires_ms), observed_ms, received_ms=received_ms):
                return held[:at] + said + held[at + _RECORD.size :]
            return held
    return held + said


def _kept(held: bytes, until_ms: int, live: Collection[int]) -> bytes:
    """Those records of one IP that a sweep leaves."""
    return b"".join(
        held[at : at + _RECORD.size] for at in range(0, len(held), _RECORD.size) if _stays(held, at, until_ms, live)
    )


def _stays(held: bytes, at: int, until_ms: int, live: Collection[int]) -> bool:
    head, _, expires_ms, _ = _RECORD.unpack_from(held, at)
    return expires_ms > until_ms and head // 4 in live


def _open_marked(path: Path, mark: BootMark) -> lmdb.Environment:
    """The environment at `path`; a torn one, and one of another layout that nobody uses, is made anew."""
    if mark.alone:
        if path.exists() and (mark.torn or not _has_layout(path)):
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
        layout = txn.get(b"layout", db=meta, default=LAYOUT)
        txn.put(b"layout", layout, db=meta)
    if layout == LAYOUT:
        env.reader_check()  # forget readers that were killed: they would keep old pages from being used again
        return env
    env.close()
    return None


def _environment(path: Path) -> lmdb.Environment:
    path.mkdir(mode=0o700, exist_ok=True)
    return lmdb.open(str(path), map_size=_MAP_BYTES, max_dbs=3, mode=0o600, sync=False, readahead=False)
