"""The documented name for what an org does with a provider's events."""

from tocsin.okta.models.word import Word

__all__ = ["RiskProviderAction"]


class RiskProviderAction(Word):
    """What the org does at sign-in with the risk events of a provider."""

    ENFORCE_AND_LOG = "enforce_and_log"
    LOG_ONLY = "log_only"
    NONE = "none"
