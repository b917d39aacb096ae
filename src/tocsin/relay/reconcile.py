"""The difference between what a target should believe about an IP and what it was told: pure decisions.

Per source the latest observation counts; over sources the highest level that still holds. The difference has a rank,
and the ranks are the order of work:

    1  raise to HIGH          the target holds less than we want
    2  refresh HIGH           it holds HIGH, that runs out soon, and we still want it
    3  raise to MEDIUM        4  refresh MEDIUM
    5  lower                  the target holds more than we want: a false positive is let go
    6  raise to LOW           7  refresh LOW
"""

from collections.abc import Sequence
from enum import IntEnum

from msgspec import Struct

from tocsin.relay.record import NEVER_MS, Claim, Standing

LEAST_LIFE_MS = 5_000
"""What ends sooner is not worth a place in a request, and may have ended when the request arrives."""


class Rank(IntEnum):
    """The order of work; 0 and the last are not in the pending set."""

    NOTHING = 0
    RAISE_HIGH = 1
    REFRESH_HIGH = 2
    RAISE_MEDIUM = 3
    REFRESH_MEDIUM = 4
    LOWER = 5
    RAISE_LOW = 6
    REFRESH_LOW = 7
    REFUSED = 8
    """In quarantine: the target would not take it, and a person decides."""


PENDING = tuple(Rank)[1:-1]
_NOTHING, _LOWER, _REFUSED = int(Rank.NOTHING), int(Rank.LOWER), int(Rank.REFUSED)
_RAISE = (_NOTHING, int(Rank.RAISE_LOW), int(Rank.RAISE_MEDIUM), int(Rank.RAISE_HIGH))
_REFRESH = (_NOTHING, int(Rank.REFRESH_LOW), int(Rank.REFRESH_MEDIUM), int(Rank.REFRESH_HIGH))


class Policy(Struct, frozen=True, kw_only=True):
    """What one target is to be told of all that is claimed."""

    target: int
    """Number of the target."""
    least_severity: int = 1
    sources: frozenset[int] | None = None
    """Numbers of the sources that count; None for all."""
    longest_life_ms: int = NEVER_MS
    """How long one telling holds at most; after that it is refreshed for as long as a source claims it."""
    refresh_before_ms: int = 3_600_000
    """How long before its end a telling is refreshed, though never in the first three quarters of its life."""


def wanted(claims: Sequence[Claim], policy: Policy, now_ms: int) -> Claim | None:
    """What the target should believe: the highest level that still holds, of equals the one that holds longest."""
    best = None
    for claim in claims:
        if (
            claim.severity >= policy.least_severity
            and claim.expires_ms >= now_ms + LEAST_LIFE_MS
            and (policy.sources is None or claim.source in policy.sources)
            and (best is None or (claim.severity, claim.expires_ms) > (best.severity, best.expires_ms))
        ):
            best = claim
    return best


def rank(want: Claim | None, standing: Standing, policy: Policy, now_ms: int) -> int:
    """The rank (`Rank`) of the difference between what is wanted and how the target stands."""
    held = standing.severity if standing.until_ms > now_ms else 0
    wish = want.severity if want is not None else 0
    if standing.rank == _REFUSED:
        return _REFUSED if wish or held else _NOTHING
    if wish > held or (wish and standing.unsure):
        return _RAISE[wish]
    if wish < held:
        return _LOWER if standing.until_ms - now_ms > LEAST_LIFE_MS else _NOTHING
    if want is not None and now_ms >= refresh_at_ms(standing, policy):
        gains = until_ms(want, policy, now_ms) > standing.until_ms + LEAST_LIFE_MS
        return _REFRESH[wish] if gains else _NOTHING
    return _NOTHING


def until_ms(want: Claim, policy: Policy, now_ms: int) -> int:
    """Until when `want` is told, if it is told now: never longer than its source said."""
    return min(want.expires_ms, now_ms + policy.longest_life_ms)


def refresh_at_ms(standing: Standing, policy: Policy) -> int:
    """From when on what the target holds runs out soon."""
    life_ms = standing.until_ms - standing.told_ms
    return standing.until_ms - min(policy.refresh_before_ms, life_ms // 4)


def look_again_ms(
    claims: Sequence[Claim], standings: Sequence[Standing], policies: dict[int, Policy], now_ms: int
) -> int:
    """When time alone may next change what is to be done about an IP."""
    due_ms = NEVER_MS
    for claim in claims:
        no_longer_worth_ms = claim.expires_ms - LEAST_LIFE_MS + 1
        due_ms = min(due_ms, no_longer_worth_ms if no_longer_worth_ms > now_ms else claim.expires_ms)
    for standing in standings:
        if standing.until_ms > now_ms:
            policy = policies.get(standing.target)
            soon_ms = refresh_at_ms(standing, policy) if policy is not None else 0
            due_ms = min(due_ms, soon_ms if soon_ms > now_ms else standing.until_ms)
    return due_ms
