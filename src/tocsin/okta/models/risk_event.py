"""What a provider says at one moment about up to 50 IP addresses."""

from datetime import datetime

from tocsin.okta.models.model import Model, as_list_of, as_moment, field
from tocsin.okta.models.risk_event_subject import RiskEventSubject

__all__ = ["RiskEvent"]


class RiskEvent(Model):
    """What a provider says at one moment about up to 50 IP addresses."""

    expires_at: datetime | str | None = field(
        "datetime",
        default=None,
        description="When the event stops to hold: a datetime with a zone, or RFC 3339 text; sent in UTC as "
        "`yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`. Without it the org lets the event expire 24 hours after it was consumed.",
        read=as_moment,
        notes="[optional]",
    )
    subjects: list[RiskEventSubject] | None = field(
        "List[RiskEventSubject]",
        default=None,
        description="The IP addresses, 1 to 50",
        read=as_list_of(RiskEventSubject),
    )
    timestamp: datetime | str | None = field(
        "datetime",
        default=None,
        description="When the event was produced, in the same forms",
        read=as_moment,
        notes="[optional]",
    )
