"""What the outbox holds about one IP, packed tight, for there may be tens of millions of them. Pure.

A record is a head (when it is to be looked at again, how many standings), one standing for each target that was told
something or is to be, and one claim for each source that says something.
"""

import struct
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

_HEAD = struct.Struct("<qB")
_STANDING = struct.Struct("<HBBqqq")
_CLAIM = struct.Struct("<IqqIH")
_UNSURE = 4  # beside a severity of at most 3
_RANK_AT = 3  # in a standing, one byte
_REFUSED = 8  # `reconcile.Rank`, which imports from here
NEVER_MS = 2**62


class Claim(Struct, frozen=True, gc=False):
    """What one source says about the IP."""

    source: int
    """Number of the source."""
    severity: int
    """3 HIGH, 2 MEDIUM, 1 LOW; 0 when the source took back what it said."""
    observed_ms: int
    expires_ms: int
    """Until when it holds; for one that was taken back: until when an older observation could still arrive."""
    generation: int
    """Which reading of its source said so last."""
    message: bytes = b""

    @property
    def recency(self) -> tuple[int, bool, int, int, bytes]:
        """Of one source's claims the greatest counts: the order in which they arrive does not matter."""
        return self.observed_ms, self.severity == 0, self.severity, self.expires_ms, self.message


class Standing(Struct, frozen=True, gc=False):
    """How one target stands to the IP."""

    target: int
    """Number of the target."""
    severity: int = 0
    """What it was last told; 0 for nothing."""
    unsure: bool = False
    """It was told that without an answer: it may hold it, or what it held before."""
    rank: int = 0
    """Its place in the pending set (`reconcile`); 0 for none."""
    told_ms: int = 0
    until_ms: int = 0
    """Until when it holds what it was told."""
    since_ms: int = 0
    """Since when it waits with this rank."""


class Record(Struct, frozen=True, gc=False):
    """All of it."""

    due_ms: int = NEVER_MS
    """When time alone may change what is to be done; never later than it truly is."""
    standings: Sequence[Standing] = ()
    claims: Sequence[Claim] = ()

    def standing(self, target: int) -> Standing:
        """That of one target; an empty one when there is none."""
        for standing in self.standings:
            if standing.target == target:
                return standing
        return Standing(target)


EMPTY = Record()


def encode(record: Record) -> bytes:
    """The bytes of a record."""
    parts = [_HEAD.pack(record.due_ms, len(record.standings))]
    for s in record.standings:
        said = s.severity + _UNSURE if s.unsure else s.severity
        parts.append(_STANDING.pack(s.target, said, s.rank, s.told_ms, s.until_ms, s.since_ms))
    for c in record.claims:
        head = c.source * 4 + c.severity
        parts.append(_CLAIM.pack(head, c.observed_ms, c.expires_ms, c.generation, len(c.message)))
        parts.append(c.message)
    return b"".join(parts)


def decode(stored: bytes) -> Record:
    """The record of its bytes."""
    due_ms, count = _HEAD.unpack_from(stored)
    at, claims_at = _HEAD.size, _HEAD.size + count * _STANDING.size
    standings = [
        Standing(target, said & 3, said >= _UNSURE, of_rank, told_ms, until_ms, since_ms)
        for target, said, of_rank, told_ms, until_ms, since_ms in _STANDING.iter_unpack(stored[at:claims_at])
    ]
    at, claims = claims_at, []
    while at < len(stored):
        head, observed_ms, expires_ms, generation, size = _CLAIM.unpack_from(stored, at)
        at += _CLAIM.size + size
        claims.append(Claim(head >> 2, head & 3, observed_ms, expires_ms, generation, stored[at - size : at]))
    return Record(due_ms, standings, claims)


def said_again(stored: bytes, new: Claim, *, targets: int, now_ms: int) -> bytes | None:
    """
    The bytes of a record after its one source said the same again, or something older: what a flood is made of.

    Nothing is to be decided then, as long as all `targets` wait for the IP anyhow. None for any other case.
    """
    due_ms, count = _HEAD.unpack_from(stored)
    at = _HEAD.size + count * _STANDING.size
    if count != targets or due_ms <= now_ms or at == len(stored):
        return None
    head, observed_ms, expires_ms, generation, size = _CLAIM.unpack_from(stored, at)
    if head >> 2 != new.source or at + _CLAIM.size + size != len(stored):
        return None
    if new.observed_ms < observed_ms and new.generation == generation:
        return stored
    if (
        head & 3 != new.severity
        or not new.severity
        or new.observed_ms < observed_ms
        or new.expires_ms < expires_ms
        or stored[at + _CLAIM.size :] != new.message
        or any(not 0 < stored[place] < _REFUSED for place in range(_HEAD.size + _RANK_AT, at, _STANDING.size))
    ):
        return None
    return stored[:at] + _CLAIM.pack(head, new.observed_ms, new.expires_ms, new.generation, size) + new.message


def with_claim(claims: Sequence[Claim], new: Claim) -> Sequence[Claim]:
    """The claims about an IP after one more was made; the same object when that changes nothing."""
    for at, held in enumerate(claims):
        if held.source == new.source:
            if new.recency >= held.recency:
                # What is taken back stays so for as long as it had been claimed: it may be handed over once more.
                kept = new if new.severity else replace(new, expires_ms=max(new.expires_ms, held.expires_ms))
                return [*claims[:at], kept, *claims[at + 1 :]]
            # Older, yet proof that the reading it belongs to still lists the IP.
            if new.generation > held.generation and new.severity:
                return [*claims[:at], replace(held, generation=new.generation), *claims[at + 1 :]]
            return claims
    return [*claims, new]
