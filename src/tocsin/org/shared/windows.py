"""The rate windows of a fleet: counted exactly, whichever node is asked.

Under one key stand the org's window of a bucket and those of its principals, so that a request counts in both or in
neither. A node decides by `rate_limit.take` on what it saw last, and writes what it decided naming the revision that it
saw: when another node was quicker nothing is written, and it reads and decides again. So no window takes more than its
limit, whoever is quick. A window that is full stays full until it closes, so who is refused again costs no write.

A request waits for those before it that ask for the same key, and the clock is read when its turn has come. When no
answer comes within `ANSWER_WITHIN_S` all that wait are told so: each would find out the same.

Beyond 1,000 requests a window, a write for each would cost too much: a node then counts about a thousandth of the limit
ahead for its principals together, and gives that out by itself. What it has counted ahead counts as used for all
others, and is lost when the window closes or the node ends: a window may give out a little less than its limit, never
more.

Entries live longer than a window by far: the windows in them say when they were opened.
"""

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tocsin.journal import JournalConflict, JournalError, JournalUnreachable, KeyValue
from tocsin.org.rate_limit import Grant, Window, is_open, take
from tocsin.org.shared.within import unanswered, within_time
from tocsin.signals.limits import WINDOW_S

LIFE_S = 15 * WINDOW_S  # by the clock of a server, which may leap by minutes and shall drop no window that is open
MOST_PRINCIPALS = 1000
"""That one bucket counts at a time: about 40 KB of a value. One more is refused until another's window closes."""
_ONE_BY_ONE = 1000
_SWEEP_AT = 1024


class Counted(Struct, frozen=True, array_like=True):
    """What stands under a key."""

    org: Window | None = None
    own: dict[str, Window] = {}
    """By principal."""


class Decided(NamedTuple):
    """What one more request leads to."""

    counted: Counted
    grant: Grant
    ahead: int = 0
    """How many more requests of the principal are counted already."""


def decide(counted: Counted, principal: str, *, limit: int, share: int, now: float) -> Decided:
    """
    One more request of `principal` at `now`. Pure; when it changes nothing that matters, `counted` is told back.

    However far ahead of `now` the org's window was opened, it is open: the fleet's time has come as far as that.
    """
    if counted.org is not None:
        now = max(now, counted.org.opened)
    before = counted.own.get(principal)
    others = {who: window for who, window in counted.own.items() if who != principal and is_open(window, now)}
    if len(others) >= MOST_PRINCIPALS:
        others = {who: window for who, window in others.items() if window.used}  # the rest was only refused
    if len(others) >= MOST_PRINCIPALS:
        window = counted.org if counted.org is not None and is_open(counted.org, now) else Window(now)
        return Decided(counted, Grant(False, limit, 0, math.ceil(window.opened + WINDOW_S)))
    org, own, grant = take(counted.org, before, limit=limit, share=share, now=now)
    ahead = 0
    if grant.allowed:
        at_once = min(limit, share) // _ONE_BY_ONE // (1 + len(others))
        ahead = max(0, min(at_once - 1, limit - org.used, share - own.used))
        org, own = org._replace(used=org.used + ahead), own._replace(used=own.used + ahead)
    elif (org, own) == (counted.org, before):
        return Decided(counted, grant)
    return Decided(Counted(org, {**others, principal: own}), grant, ahead)


class _Cell:
    """What this node knows of one key. What is old of it does no harm: a write that goes by it is refused."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.silences = 0
        """How often no answer came."""
        self.counted, self.revision = Counted(), -1
        self._ahead: dict[str, tuple[float, float, int]] = {}
        """By principal: when its windows opened, and how many requests are left of those counted ahead."""

    def is_of_use(self, now: float) -> bool:
        """Whether anything of it still counts."""
        windows = [*self.counted.own.values(), *([self.counted.org] if self.counted.org is not None else [])]
        return self.turn.locked() or any(is_open(window, now) for window in windows)

    def keep(self, principal: str, decided: Decided, revision: int) -> None:
        """That is what stands there now."""
        self.counted, self.revision = decided.counted, revision
        org, own = self.counted.org, self.counted.own
        assert org is not None
        if decided.ahead:
            self._ahead[principal] = (org.opened, own[principal].opened, decided.ahead)
        self._ahead = {who: ahead for who, ahead in self._ahead.items() if who in own and ahead[0] == org.opened}

    def give_ahead(self, principal: str, *, limit: int, share: int, now: float) -> Grant | None:
        """The grant for a request that is counted already; None when there is none."""
        org, own = self.counted.org, self.counted.own.get(principal)
        *opened, left = self._ahead.get(principal, (0.0, 0.0, 0))
        if not left or org is None or own is None or opened != [org.opened, own.opened]:
            return None
        if not (is_open(org, now) and is_open(own, now)):
            return None
        self._ahead[principal] = (org.opened, own.opened, left - 1)
        free = org._replace(used=org.used - left), own._replace(used=own.used - left)
        return take(*free, limit=limit, share=share, now=now)[2]


class SharedWindows:
    """See `Windows`: those of one org of a fleet."""

    def __init__(self, table: KeyValue, org: str) -> None:
        """`table` keeps an entry for `LIFE_S`."""
        self._table, self._org = table, org
        self._cells: dict[str, _Cell] = {}
        self._sweep_at = _SWEEP_AT

    async def take(self, bucket: str, principal: str, *, limit: int, share: int, clock: Callable[[], float]) -> Grant:
        """See `Windows.take`."""
        key = f"{self._org}.{bucket}"
        cell = self._cell(key, clock())
        silences = cell.silences
        async with cell.turn:
            if cell.silences != silences:
                raise unanswered(key, "so it was a moment ago")
            try:
                return await self._take(key, cell, principal, limit=limit, share=share, clock=clock)
            except JournalUnreachable:
                cell.silences += 1
                raise

    async def _take(
        self, key: str, cell: _Cell, principal: str, *, limit: int, share: int, clock: Callable[[], float]
    ) -> Grant:
        ahead = cell.give_ahead(principal, limit=limit, share=share, now=clock())
        if ahead is not None:
            return ahead
        if cell.revision < 0:
            await self._read(key, cell)
        while True:
            decided = decide(cell.counted, principal, limit=limit, share=share, now=clock())
            if decided.counted is cell.counted:
                return decided.grant
            value = msgspec.msgpack.encode(decided.counted)
            try:
                revision = await within_time(key, self._table.put(key, value, revision=cell.revision))
            except JournalConflict:
                await self._read(key, cell)  # another node was quicker
            else:
                cell.keep(principal, decided, revision)
                return decided.grant

    async def _read(self, key: str, cell: _Cell) -> None:
        kept = await within_time(key, self._table.get(key))
        try:
            counted = Counted() if kept is None else msgspec.msgpack.decode(kept.value, type=Counted)
        except msgspec.MsgspecError as error:
            raise JournalError(f"{key}: what stands there is no rate window", hint="delete it") from error
        cell.counted, cell.revision = counted, 0 if kept is None else kept.revision

    def _cell(self, key: str, now: float) -> _Cell:
        if key not in self._cells and len(self._cells) >= self._sweep_at:
            self._cells = {key: cell for key, cell in self._cells.items() if cell.is_of_use(now)}
            self._sweep_at = max(_SWEEP_AT, 2 * len(self._cells))
        return self._cells.setdefault(key, _Cell())
