"""See `tocsin.okta.models.risk_event`."""

from tocsin.okta.models.risk_event import RiskEvent

__all__ = ["RiskEvent"]
