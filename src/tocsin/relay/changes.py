"""What one transaction of the outbox changes: each IP decided anew, then all of it written in key order."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tocsin.relay.ledger import Told
from tocsin.relay.plan import Request
from tocsin.relay.reconcile import Policy, Rank, look_again_ms, rank, wanted
from tocsin.relay.record import EMPTY, NEVER_MS, Claim, Record, Standing, decode, encode, said_again, with_claim
from tocsin.relay.store import Store, Txn, due_entry, pending_entry

_COUNT = struct.Struct("<q")
_COUNT_KEY = struct.Struct(">6sHB")
_REFUSED = int(Rank.REFUSED)


class Served(Struct, frozen=True):
    """One target that work is found for."""

    policy: Policy
    excludes: Callable[[bytes], bool]
    """Says of an IP key whether the target is never told about it."""
    guards: Mapping[int, Callable[[bytes], bool]] = {}
    """By the number of a source: says of an IP key whether that source never speaks of it, whatever it said before."""

    def wants(self, key: bytes, claims: Sequence[Claim], now_ms: int) -> Claim | None:
        """What the target should believe about an IP."""
        if self.guards:
            claims = [claim for claim in claims if not self.guards.get(claim.source, _speaks_of_all)(key)]
        want = wanted(claims, self.policy, now_ms)
        return None if want is None or self.excludes(key) else want


def _speaks_of_all(_key: bytes) -> bool:
    return False


def told_by(request: Request) -> Told:
    """What `request` tells. What is let go is the lowest level, for a moment."""
    return Told(
        request.told_ms,
        {
            telling.key: (telling.severity or 1, event.until_ms)
            for event in request.events
            for telling in event.tellings
        },
    )


def pending_count(store: Store, txn: Txn, target: int, of_rank: int) -> int:
    """How many IPs wait with one rank."""
    stored = txn.get(_COUNT_KEY.pack(b"count/", target, of_rank), db=store.books)
    return 0 if stored is None else int(_COUNT.unpack(stored)[0])


def records(store: Store, txn: Txn, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Record]]:
    """The record of each of these keys, which are sorted; an empty one where there is none."""
    for key, held in store.got(txn, keys):
        yield key, EMPTY if held is None else decode(held)


class Changes:
    """Collects them; `write` puts all into the transaction. Each IP is settled once."""

    def __init__(self, store: Store, txn: Txn, served: Mapping[int, Served] | None, now_ms: int) -> None:
        """`served` is None where nobody knows what the targets want: all is left to the relay, at its next look."""
        self._store, self._txn, self._now_ms = store, txn, now_ms
        self._served, self._undecided = served or {}, served is None
        self._policies = {number: target.policy for number, target in self._served.items()}
        self._ips: dict[bytes, bytes | None] = {}
        self._due: dict[bytes, bytes | None] = {}
        self._pending: dict[bytes, bytes | None] = {}
        self._counts: dict[tuple[int, int], int] = {}

    def fold(self, claims: Mapping[bytes, Sequence[Claim]]) -> None:
        """Take in claims by IP key."""
        targets = 0 if self._undecided else len(self._served)
        for key, stored in self._store.got(self._txn, sorted(claims)):
            new = _folded((), claims[key])
            if stored is not None and targets and len(new) == 1:
                again = said_again(stored, new[0], targets=targets, now_ms=self._now_ms)
                if again is not None:
                    if again is not stored:
                        self._ips[key] = again
                    continue
            record = EMPTY if stored is None else decode(stored)
            after = _folded(record.claims, new)
            if after is not record.claims:
                self.settle(key, record, record.standings, after)

    def settle(self, key: bytes, before: Record, standings: Sequence[Standing], claims: Sequence[Claim]) -> None:
        """
        Decide what is to be done about one IP, and keep it.

        Args:
            before: its record as it is stored.
            standings, claims: what is to be kept in place of those of `before`.
        """
        now_ms = self._now_ms
        if self._undecided:
            self._reschedule(key, before.due_ms, now_ms)
            self._ips[key] = encode(Record(now_ms, standings, claims))
            return
        live = [claim for claim in claims if claim.expires_ms > now_ms]
        others = [self._put_down(key, s) for s in standings if s.target not in self._served]
        after = [s for s in others if s.until_ms > now_ms]
        for number, target in self._served.items():
            standing = next((s for s in standings if s.target == number), None) or Standing(number)
            new_rank = rank(target.wants(key, live, now_ms), standing, target.policy, now_ms)
            if new_rank != standing.rank:
                standing = self._moved(key, standing, new_rank)
            if standing.rank or standing.until_ms > now_ms:
                after.append(standing)
        if live or after:
            due_ms = self._due_of(key, before.due_ms, look_again_ms(live, after, self._policies, now_ms))
            self._ips[key] = encode(Record(due_ms, after, live))
        elif before is not EMPTY:
            self._reschedule(key, before.due_ms, NEVER_MS)
            self._ips[key] = None

    def set_refused(self, key: bytes, before: Record, target: int, refused: int) -> None:
        """One target will not take these severities (as bits) of one IP, and any others."""
        now_held = replace(before.standing(target), refused=refused)
        self.settle(key, before, with_standing(before.standings, now_held), before.claims)

    def tell(self, told: Told, target: int, *, sure: bool) -> None:
        """
        A target was told something.

        Args:
            sure: False when there was no answer. It may believe that then, or what it was told before.
        """
        for key, record in records(self._store, self._txn, sorted(told.subjects)):
            severity, ends_ms = told.subjects[key]
            held = record.standing(target)
            until_ms = ends_ms if sure else max(ends_ms, held.until_ms)
            refused = held.refused & ~_taken(severity) if sure else held.refused
            now_held = Standing(target, severity, not sure, held.rank, told.told_ms, until_ms, held.since_ms, refused)
            self.settle(key, record, with_standing(record.standings, now_held), record.claims)

    def write(self) -> None:
        """All of it into the transaction."""
        store, txn = self._store, self._txn
        store.put_all(txn, store.ips, self._ips)
        store.put_all(txn, store.pending, self._pending)
        store.put_all(txn, store.due, self._due)
        for (target, of_rank), change in self._counts.items():
            if change:
                count = pending_count(store, txn, target, of_rank) + change
                txn.put(_COUNT_KEY.pack(b"count/", target, of_rank), _COUNT.pack(count), db=store.books)

    def _put_down(self, key: bytes, standing: Standing) -> Standing:
        """The standing of a target that is served no more: it may still believe something, and waits for nothing."""
        return self._moved(key, standing, 0) if standing.rank else standing

    def _moved(self, key: bytes, standing: Standing, new_rank: int) -> Standing:
        """The standing with another place in the pending set."""
        s, number = standing, standing.target
        if 0 < s.rank < _REFUSED:
            self._pending[pending_entry(number, s.rank, s.since_ms, key)] = None
            self._counts[number, s.rank] = self._counts.get((number, s.rank), 0) - 1
        if 0 < new_rank < _REFUSED:
            self._pending[pending_entry(number, new_rank, self._now_ms, key)] = b""
            self._counts[number, new_rank] = self._counts.get((number, new_rank), 0) + 1
        return replace(s, rank=new_rank, since_ms=self._now_ms)

    def _due_of(self, key: bytes, before_ms: int, due_ms: int) -> int:
        """When to look again. Too early is harmless, and moving it would cost as much as all the rest."""
        if self._now_ms < before_ms <= due_ms < NEVER_MS:
            return before_ms
        if before_ms != due_ms:
            self._reschedule(key, before_ms, due_ms)
        return due_ms

    def _reschedule(self, key: bytes, before_ms: int, due_ms: int) -> None:
        if before_ms < NEVER_MS:
            self._due[due_entry(before_ms, key)] = None
        if due_ms < NEVER_MS:
            self._due[due_entry(due_ms, key)] = b""


def _taken(severity: int) -> int:
    """The severities, as bits, that a target has shown to take; what is let go is told as the lowest."""
    return 1 << severity | (severity == 1)


def _folded(claims: Sequence[Claim], more: Sequence[Claim]) -> Sequence[Claim]:
    if not claims and len(more) == 1:
        return more
    for claim in more:
        claims = with_claim(claims, claim)
    return claims


def with_standing(standings: Sequence[Standing], new: Standing) -> list[Standing]:
    """The standings after one target's has changed."""
    return [*(standing for standing in standings if standing.target != new.target), new]
