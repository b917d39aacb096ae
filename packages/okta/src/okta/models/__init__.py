"""See `tocsin.okta.models`."""

from tocsin.okta.models import (
    HrefObjectHints,
    HrefObjectSelfLink,
    HttpMethod,
    LinksSelf,
    RiskEvent,
    RiskEventSubject,
    RiskEventSubjectRiskLevel,
    RiskProvider,
    RiskProviderAction,
)

__all__ = [
    "HrefObjectHints",
    "HrefObjectSelfLink",
    "HttpMethod",
    "LinksSelf",
    "RiskEvent",
    "RiskEventSubject",
    "RiskEventSubjectRiskLevel",
    "RiskProvider",
    "RiskProviderAction",
]
