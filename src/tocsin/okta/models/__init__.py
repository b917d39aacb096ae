"""The models of the risk APIs."""

from tocsin.okta.models.href_object_hints import HrefObjectHints
from tocsin.okta.models.href_object_self_link import HrefObjectSelfLink
from tocsin.okta.models.http_method import HttpMethod
from tocsin.okta.models.links_self import LinksSelf
from tocsin.okta.models.risk_event import RiskEvent
from tocsin.okta.models.risk_event_subject import RiskEventSubject
from tocsin.okta.models.risk_event_subject_risk_level import RiskEventSubjectRiskLevel
from tocsin.okta.models.risk_provider import RiskProvider
from tocsin.okta.models.risk_provider_action import RiskProviderAction

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
