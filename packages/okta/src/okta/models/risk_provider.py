"""See `tocsin.okta.models.risk_provider`."""

from tocsin.okta.models.risk_provider import RiskProvider

__all__ = ["RiskProvider"]
