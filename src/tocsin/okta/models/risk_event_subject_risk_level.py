"""The documented name for a risk level."""

from tocsin.okta.models.word import Word

__all__ = ["RiskEventSubjectRiskLevel"]


class RiskEventSubjectRiskLevel(Word):
    """How risky an IP address is."""

    HIGH = "HIGH"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
