"""Records of risk events."""

import msgspec
from msgspec import Struct

from tocsin.org.records.deed import Deed

RISK_TOPIC_PREFIX = "risk."


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


class RawEvents(Struct, frozen=True, tag_field="t", tag="risk"):
    """What `RiskEventsConsumed` is, read only as far as to find one event."""

    events: list[msgspec.Raw]


def risk_topic(provider_id: str) -> str:
    """The topic of what one provider asserts."""
    return RISK_TOPIC_PREFIX + provider_id
