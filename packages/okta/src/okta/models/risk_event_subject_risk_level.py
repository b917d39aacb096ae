"""See `tocsin.okta.models.risk_event_subject_risk_level`."""

from tocsin.okta.models.risk_event_subject_risk_level import RiskEventSubjectRiskLevel

__all__ = ["RiskEventSubjectRiskLevel"]
