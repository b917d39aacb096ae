"""How risky an IP is now, and why. Pure: the clock is an argument."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tocsin.org.assertions import Assertion
from tocsin.signals import RiskLevel, RiskProviderAction


class ProviderWord(Struct, frozen=True):
    """What one provider says, and if that still holds."""

    assertion: Assertion
    action: RiskProviderAction
    expired: bool


class Decision(Struct, frozen=True):
    """How risky an IP is."""

    level: RiskLevel | None
    """The highest of what any provider says; None when none says anything that still holds."""
    effective_level: RiskLevel | None
    """The same over providers whose word is enforced."""
    words: list[ProviderWord]
    """Most dangerous first, then newest; expired ones last."""


def decide(assertions: Iterable[Assertion], actions: Mapping[str, RiskProviderAction], *, now_ms: int) -> Decision:
    """
    How risky the IP of `assertions` is at `now_ms`.

    Rules: an assertion holds until its expiry and not at it. A provider missing from `actions` was deleted and does
    not count. `level` is the highest over all others, `effective_level` over those with `enforce_and_log`.

    Args:
        assertions: at most one of each provider, all about one IP.
        actions: of every provider the org has now, by id.
    """
    words = [
        ProviderWord(said, actions[said.provider_id], expired=said.expires_ms <= now_ms)
        for said in assertions
        if said.provider_id in actions
    ]
    holding = [word for word in words if not word.expired]
    return Decision(
        level=_highest(holding),
        effective_level=_highest(word for word in holding if word.action is RiskProviderAction.ENFORCE_AND_LOG),
        words=sorted(words, key=lambda word: (word.expired, -word.assertion.severity, -word.assertion.observed_ms)),
    )


def _highest(words: Iterable[ProviderWord]) -> RiskLevel | None:
    severity = max((word.assertion.severity for word in words), default=None)
    return None if severity is None else RiskLevel.of_severity(severity)
