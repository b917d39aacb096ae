"""Records of risk events."""

import msgspec
from msgspec import Struct

from tocsin.org.records.branches import RISK_BRANCH
from tocsin.org.records.deed import Deed


class ConsumedEvent(Struct, frozen=True, array_like=True):
    """One risk event as its provider sent it; the org's own rules are applied later, in `assertions`."""

    timestamp_ms: int | None
    expires_ms: int | None
    ips: bytes
    """16 bytes a subject."""
    severities: bytes
    """1 byte a subject: 3 HIGH, 2 MEDIUM, 1 LOW."""
    messages: list[str] | None
    """One for each subject, empty where it had none; None when no subject had one."""


class RiskEventsConsumed(Struct, frozen=True, tag_field="t", tag="risk"):
    """One accepted request of risk events."""

    deed: Deed
    provider_id: str
    events: list[ConsumedEvent]

    @property
    def received_ms(self) -> int:
        """When the request was accepted."""
        return self.deed.at_ms


class CarriedEvent(Struct, frozen=True, array_like=True):
    """Subjects that share a life: `ConsumedEvent` with what became of it. It begins like one, and is read as one."""

    observed_ms: int
    expires_ms: int
    ips: bytes
    severities: bytes
    messages: list[str] | None
    until_ms: int
    """When they are out of the way; see `assertions`."""


class RiskCarried(Struct, frozen=True, tag_field="t", tag="risk.carried"):
    """
    What a provider's older entries still say, said again by the org so that those can be forgotten; see `retention`.

    About the IPs in it this is all that counts of this provider, whatever stands before it in the journal.
    """

    deed: Deed
    provider_id: str
    events: list[CarriedEvent]


class RawEvents(Struct, frozen=True):
    """Either kind of record, read only as far as to find one event."""

    events: list[msgspec.Raw]


def risk_topic(provider_id: str) -> str:
    """The topic of what one provider asserts."""
    return RISK_BRANCH + provider_id
