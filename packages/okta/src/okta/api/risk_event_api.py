"""See `tocsin.okta.api.risk_event_api`."""

from tocsin.okta.api.risk_event_api import AsyncRiskEventApi, RiskEventApi

__all__ = ["AsyncRiskEventApi", "RiskEventApi"]
