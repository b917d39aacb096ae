"""What a provider's risk events assert, and which of several assertions about one IP counts. Pure.

The rules, all of them our choice, for nothing is published about them:

1. An assertion was observed at the event's `timestamp`, or when it was received if that is earlier or no timestamp
   was sent: nobody sees the future. Times before 1970 count as 1970.
2. It holds until the event's `expiresAt`, or for 24 hours from when it was received (documented) without one.
3. Of one provider's assertions about one IP the newest observed counts, and of equally old ones the one that arrived
   last. It counts also when it has expired already: that is how a provider takes back what it said before.
4. An assertion is out of the way once it has expired and all that it kept away (an older one that arrived later) would
   have expired too: whatever is received after that replaces it. So forgetting what is out of the way changes nothing
   that could be asked. That it stays until then is what lets the journal forget its entry before those of the others.
"""

from typing import NamedTuple

from msgspec import Struct

from tocsin.org.records import ConsumedEvent, Deed, RiskEventsConsumed
from tocsin.signals import RiskEvent, ip_key, to_ms
from tocsin.signals.limits import DEFAULT_LIFE_S, SUBJECTS_PER_EVENT

# Rule 4 makes it harmless to forget what had expired before the next request was received. Requests are applied a
# moment after they were received, and clocks of nodes differ a little: leave them this much room.
GRACE_MS = 60_000
_DEFAULT_LIFE_MS = DEFAULT_LIFE_S * 1000


class Assertion(Struct, frozen=True):
    """What one provider says about one IP."""

    provider_id: str
    severity: int
    """3 HIGH, 2 MEDIUM, 1 LOW."""
    observed_ms: int
    expires_ms: int
    seq: int
    """The journal entry it came with."""
    position: int
    """Which subject of that entry; see `subject_position`."""

    @property
    def event(self) -> int:
        """Index of the event in its request."""
        return self.position // SUBJECTS_PER_EVENT

    @property
    def subject(self) -> int:
        """Index of the subject in its event."""
        return self.position % SUBJECTS_PER_EVENT


class Life(NamedTuple):
    """From when to when an assertion holds."""

    observed_ms: int
    expires_ms: int


def subject_position(event: int, subject: int) -> int:
    """The position in an entry of its event's subject, both counted from 0: below 1,000 of a request, else 2**16."""
    return event * SUBJECTS_PER_EVENT + subject


def life_of(event: ConsumedEvent, *, received_ms: int) -> Life:
    """Rules 1 and 2."""
    observed_ms = received_ms if event.timestamp_ms is None else min(event.timestamp_ms, received_ms)
    expires_ms = received_ms + _DEFAULT_LIFE_MS if event.expires_ms is None else event.expires_ms
    return Life(max(observed_ms, 0), max(expires_ms, 0))


def replaces(held: Life, until_ms: int, observed_ms: int, *, received_ms: int) -> bool:
    """Rules 3 and 4: whether what was observed at `observed_ms` replaces `held`, in the way until `until_ms`."""
    return observed_ms >= held.observed_ms or until_ms <= received_ms


def consumed(events: list[RiskEvent], *, deed: Deed, provider_id: str) -> RiskEventsConsumed:
    """The record of checked `events`."""
    return RiskEventsConsumed(deed, provider_id, [_consumed_event(event) for event in events])


def _consumed_event(event: RiskEvent) -> ConsumedEvent:
    subjects = event.subjects
    messages = [subject.message or "" for subject in subjects]
    return ConsumedEvent(
        timestamp_ms=None if event.timestamp is None else to_ms(event.timestamp),
        expires_ms=None if event.expires_at is None else to_ms(event.expires_at),
        ips=b"".join([ip_key(subject.ip) for subject in subjects]),
        severities=bytes([subject.risk_level.severity for subject in subjects]),
        messages=messages if any(messages) else None,
    )
