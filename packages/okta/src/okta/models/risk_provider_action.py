"""See `tocsin.okta.models.risk_provider_action`."""

from tocsin.okta.models.risk_provider_action import RiskProviderAction

__all__ = ["RiskProviderAction"]
