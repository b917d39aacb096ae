"""The APIs."""

from tocsin.okta.api.risk_event_api import AsyncRiskEventApi, RiskEventApi
from tocsin.okta.api.risk_provider_api import AsyncRiskProviderApi, RiskProviderApi

__all__ = ["AsyncRiskEventApi", "AsyncRiskProviderApi", "RiskEventApi", "RiskProviderApi"]
