"""How dangerous a subject is, and what an org does with a provider's word."""

from enum import StrEnum


class RiskLevel(StrEnum):
    """Risk level of an IP address, as on the wire (upper case)."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"

    @property
    def severity(self) -> int:
        """3 for HIGH, 2 for MEDIUM, 1 for LOW: the number to compare, sort and store by."""
        return _SEVERITY[self]

    @classmethod
    def of_severity(cls, severity: int) -> "RiskLevel":
        """The level of a stored severity. Raises ValueError for a number that is none."""
        for level, number in _SEVERITY.items():
            if number == severity:
                return level
        raise ValueError(f"{severity} is not the severity of a risk level")


_SEVERITY = {RiskLevel.HIGH: 3, RiskLevel.MEDIUM: 2, RiskLevel.LOW: 1}


class RiskProviderAction(StrEnum):
    """What the org does with a provider's events at sign-in. Source: the risk providers API page."""

    NONE = "none"
    """No action: neither logged nor used."""
    LOG_ONLY = "log_only"
    """Logged, not used in sign-in risk. The default."""
    ENFORCE_AND_LOG = "enforce_and_log"
    """Logged and used in sign-in risk."""
