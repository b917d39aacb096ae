"""Whether servers hold the same of a stream, message by message, each of them read piece by piece."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Held(NamedTuple):
    """A message as one server holds it."""

    digest: int
    subject: str


class Piece(NamedTuple):
    """What one server has told: all that it holds from `first` to `last`, by seq."""

    server: str
    first: int
    last: int
    held: Mapping[int, Held]


class Unlike(NamedTuple):
    """A message that `server` lacks, or holds otherwise than others."""

    server: str
    seq: int
    subject: str
    lacks: bool


class Comparison:
    """Of what `servers` hold from seq `first` to `last`. Remembers what some have told and others have not yet."""

    def __init__(self, servers: Iterable[str], first: int, last: int) -> None:
        self._told = dict.fromkeys(servers, first - 1)
        self._held: dict[str, dict[int, Held]] = {server: {} for server in self._told}
        self.last = last
        self.compared = first - 1
        """Up to where all have been compared."""
        self.unlike: list[Unlike] = []

    @property
    def next(self) -> int | None:
        """From which seq to ask; None when all is compared."""
        return self.compared + 1 if self.compared < self.last else None

    @property
    def awaited(self) -> list[str]:
        """Those that have not told what stands there."""
        return [server for server, told in self._told.items() if told == self.compared]

    def add(self, piece: Piece) -> bool:
        """Returns: whether it told something new."""
        told = self._told.get(piece.server)
        if told is None or not piece.first <= told + 1 <= piece.last:
            return False
        self._told[piece.server] = min(piece.last, self.last)
        self._held[piece.server] |= piece.held
        self._compare()
        return True

    def _compare(self) -> None:
        reached = min(self._told.values())
        for seq in sorted({seq for held in self._held.values() for seq in held if seq <= reached}):
            found = {server: held.pop(seq, None) for server, held in self._held.items()}
            if len(set(found.values())) > 1:
                self.unlike += _unlike(seq, found)
        self.compared = reached


def _unlike(seq: int, found: Mapping[str, Held | None]) -> list[Unlike]:
    """Where most agree they are right; without a majority, who holds it is."""
    right, _ = max(Counter(found.values()).items(), key=lambda item: (item[1], item[0] is not None))
    subject = next(held.subject for held in (right, *found.values()) if held is not None)
    return [Unlike(server, seq, subject, held is None) for server, held in found.items() if held != right]
