"""All of a long reading, put on disk as it comes and then handed over in the order of its addresses.

An outbox is a tree by address. Tens of millions of claims, taken in as they stand in a file, would each change pages
all over it, and have most of it written anew with every transaction; in order, neighbours share them. 3 million
addresses took 1.5 GB of memory one way, and 0.16 GB the other. The claims are sorted by one byte of their keys at a
time (radix, the most significant first), for as long as there are too many for memory.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from os import SEEK_END
from tempfile import TemporaryFile
from typing import BinaryIO, Self

from msgspec import msgpack

from tocsin.relay.errors import RelayError
from tocsin.relay.intake import Prepared, prepare
from tocsin.signals import Batch, Skipped

IN_MEMORY = 65_536
"""Claims that are kept in memory; and how many are handed over at a time."""
_V4 = bytes(10) + b"\xff\xff"
_BYTES, _LAST_BYTE = 256, 15

Staged = tuple[bytes, int, int, int, bytes, int]
"""A row of `intake`, and the number of its source."""
_ABOUT, _RECENCY = itemgetter(0, 5), itemgetter(2, 1, 3, 4)
_DECODE = msgpack.Decoder(list[Staged]).decode
_Span = tuple[int, int]
"""Where something is in a file, and how long it is."""


class Staging:
    """
    What many batches say, coalesced:

        with Staging() as staging:
            for batch in batches:
                staging.add(batch)
            await relay.take_in(staging)
    """

    def __init__(self, *, in_memory: int = IN_MEMORY) -> None:
        self._claims = {True: _Sorted(len(_V4), in_memory), False: _Sorted(0, in_memory)}  # IPv4, IPv6
        self._pieces, self._skipped = _Pieces(), list[_Span]()
        self._numbers: dict[str, int] = {}
        self._ends_list: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.close()
        for claims in self._claims.values():
            claims.close()

    @property
    def sources(self) -> list[str]:
        """Whose batches there were, in the order in which they came first."""
        return list(self._numbers)

    def add(self, batch: Batch) -> None:
        """One more; positions are not kept. Raises: InvalidSignals, and RelayError, when there is no room on disk."""
        ready = prepare(batch)
        number = self._numbers.setdefault(batch.source, len(self._numbers))
        for is_v4, claims in self._claims.items():
            claims.add((*row, number) for row in ready.rows if row[0].startswith(_V4) is is_v4)
        if batch.skipped:
            self._skipped.append(self._pieces.write(msgpack.encode((number, batch.skipped))))
        if batch.ends_list:
            self._ends_list.append(batch.source)

    def in_order(self) -> Iterator[list[Prepared]]:
        """What is to be one transaction each: claims by address, then the ends of lists."""
        names = self.sources
        for span in self._skipped:
            number, skipped = msgpack.decode(self._pieces.read(span), type=tuple[int, list[Skipped]])
            yield [Prepared(names[number], [], skipped)]
        for rows in (rows for claims in self._claims.values() for rows in claims.in_order()):
            of_sources: dict[int, list[Staged]] = {}
            for row in rows:
                of_sources.setdefault(row[-1], []).append(row)
            yield [Prepared(names[number], [row[:-1] for row in of]) for number, of in of_sources.items()]
        yield [Prepared(name, [], ends_list=True) for name in self._ends_list]


class _Sorted:
    """Rows in the order of their keys, from one byte of these on: what is before it is the same in all."""

    def __init__(self, at: int, in_memory: int) -> None:
        self._at, self._in_memory = at, in_memory
        self._rows: list[Staged] = []
        self._pieces = _Pieces()
        self._parts: list[list[_Span]] = [[] for _ in range(_BYTES)]
        self._counts = [0] * _BYTES

    def add(self, rows: Iterable[Staged]) -> None:
        self._rows += rows
        if len(self._rows) >= self._in_memory:
            self._rows = _coalesced(self._rows)
            if 2 * len(self._rows) > self._in_memory:  # those who repeat themselves stay in memory
                self._spill()

    def in_order(self) -> Iterator[list[Staged]]:
        """All of them, about as many at a time as may be in memory."""
        if any(self._counts):
            self._spill()
        rows = self._rows
        for spans, count in zip(self._parts, self._counts, strict=True):
            if rows and len(rows) + count > self._in_memory:
                yield _coalesced(rows)
                rows = []
            if count > self._in_memory and self._at < _LAST_BYTE:
                with closing(_Sorted(self._at + 1, self._in_memory)) as part:
                    for span in spans:
                        part.add(_DECODE(self._pieces.read(span)))
                    yield from part.in_order()
            else:
                for span in spans:
                    rows += _DECODE(self._pieces.read(span))
        if rows:
            yield _coalesced(rows)

    def close(self) -> None:
        self._pieces.close()

    def _spill(self) -> None:
        for byte, part in groupby(_coalesced(self._rows), key=lambda row: row[0][self._at]):
            rows = list(part)
            self._parts[byte].append(self._pieces.write(msgpack.encode(rows)))
            self._counts[byte] += len(rows)
        self._rows = []


class _Pieces:
    """A temporary file of pieces of bytes, made when it is needed."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None

    def write(self, piece: bytes) -> _Span:
        try:
            if self._file is None:
                self._file = TemporaryFile(prefix="tocsin-")  # noqa: SIM115 - closed by `close`
            at = self._file.seek(0, SEEK_END)
            return at, self._file.write(piece)
        except OSError as error:
            hint = "make room where temporary files are kept"
            raise RelayError(f"what was read cannot be kept for the moment: {error.strerror}", hint=hint) from None

    def read(self, span: _Span) -> bytes:
        assert self._file is not None
        at, size = span
        try:
            self._file.seek(at)
            return self._file.read(size)
        except OSError as error:
            raise RelayError(f"what was read cannot be read again: {error.strerror}", hint="look at the disk") from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _coalesced(rows: list[Staged]) -> list[Staged]:
    """By key; of what one source says of an address, and does not take back, the latest: as `record.with_claim`."""
    kept: list[Staged] = []
    for row in sorted(rows, key=_ABOUT):
        last = kept[-1] if kept else None
        if last is not None and _ABOUT(row) == _ABOUT(last) and row[1] and last[1]:
            kept[-1] = max(last, row, key=_RECENCY)
        else:
            kept.append(row)
    return kept
