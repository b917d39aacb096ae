"""See `tocsin.okta.api`."""

from tocsin.okta.api import AsyncRiskEventApi, AsyncRiskProviderApi, RiskEventApi, RiskProviderApi

__all__ = ["AsyncRiskEventApi", "AsyncRiskProviderApi", "RiskEventApi", "RiskProviderApi"]
