"""What a target was told and still holds, carried forward in its ledger, so that nobody need read it from the start.

It goes in parts, each a range of IP keys, between the requests. A part is true by itself: whoever reads the ledger sets
what it says, and goes on with the entries after it. So a round that was broken off half-way misleads nobody, and once a
round is whole nothing before it is needed.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from tocsin.relay.books import TargetBook
from tocsin.relay.changes import Changes, with_standing
from tocsin.relay.ledger import Carried, Held, Spent
from tocsin.relay.quarantine import keep
from tocsin.relay.record import EMPTY, Record, Standing, decode
from tocsin.relay.refusal import Kind, Refusal, load_refusal
from tocsin.relay.store import Store, Txn, walk
from tocsin.signals import ip_key

RECORDS_IN_A_PART = 1_000
REFUSED_IN_A_PART = 50
"""Each comes with the target's reason for each level: so many keep a part below what an entry may hold."""


def carried(store: Store, txn: Txn, name: str, book: TargetBook, *, now_ms: int, records: int) -> Carried:
    """What the target `name` holds of the next `records` IPs of its round."""
    first = book.round_next
    held: dict[bytes, Held] = {}
    refused: set[bytes] = set()
    step = walk(store, txn, first, records + 1)
    before = step.pop()[0] if len(step) > records else None
    for key, stored in step:
        if len(refused) == REFUSED_IN_A_PART:
            before = key
            break
        s = decode(stored).standing(book.number)
        if s.until_ms > now_ms or s.refused:
            held[key] = Held(s.severity, s.unsure, s.told_ms, s.until_ms, s.refused)
        if s.refused:
            refused.add(key)
    spent, ours = Spent(book.limit, book.left, book.closes_ms), _refusals(store, txn, name, refused)
    return Carried(book.told_ms, spent, book.round_from, first, before, held, ours)


def set_carried(store: Store, txn: Txn, changes: Changes, target: int, part: Carried) -> None:
    """Let an outbox know it, whatever it knew before of the IPs in the range."""
    if part.refusals:
        # By IP and level: who only heard of a refusal knows neither the source nor the message that came with it.
        there = {(one.ip, one.level) for one in _refused_by(store, txn, part.refusals[0].by)}
        for refusal in part.refusals:
            if (refusal.ip, refusal.level) not in there:
                keep(store, txn, refusal)
    held = dict(part.held)
    for key, stored in store.between(txn, part.first, part.before):
        _set(changes, key, decode(stored), target, held.pop(key, None))
    for key, one in held.items():
        _set(changes, key, EMPTY, target, one)


def _refusals(store: Store, txn: Txn, target: str, keys: set[bytes]) -> list[Refusal]:
    """Of these IPs, the last one for each level, but what was given up: that it is not told says its standing."""
    if not keys:
        return []
    found = [one for one in _refused_by(store, txn, target) if not one.dropped and ip_key(one.ip) in keys]
    return list({(one.ip, one.level): one for one in sorted(found, key=lambda one: one.last_ms)}.values())


def _set(changes: Changes, key: bytes, record: Record, target: int, held: Held | None) -> None:
    before = record.standing(target)
    after = _standing(before, held)
    if after != before:
        changes.settle(key, record, with_standing(record.standings, after), record.claims)


def _refused_by(store: Store, txn: Txn, target: str) -> Iterator[Refusal]:
    for _, stored in txn.cursor(db=store.quarantine):
        refusal = load_refusal(stored)
        if refusal.kind is Kind.SUBJECT and refusal.by == target:
            yield refusal


def _standing(before: Standing, held: Held | None) -> Standing:
    if held is None:
        return Standing(before.target, rank=before.rank, since_ms=before.since_ms)
    return replace(
        before,
        severity=held.severity,
        unsure=held.unsure,
        told_ms=held.told_ms,
        until_ms=held.until_ms,
        refused=held.refused,
    )
