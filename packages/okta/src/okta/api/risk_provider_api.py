"""See `tocsin.okta.api.risk_provider_api`."""

from tocsin.okta.api.risk_provider_api import AsyncRiskProviderApi, RiskProviderApi

__all__ = ["AsyncRiskProviderApi", "RiskProviderApi"]
