"""See `tocsin.okta.models.risk_event_subject`."""

from tocsin.okta.models.risk_event_subject import RiskEventSubject

__all__ = ["RiskEventSubject"]
