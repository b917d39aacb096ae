"""How risky an IP is now, and why. Pure: the clock is an argument."""

from collections.abc import Container, Iterable, Mapping, Sequence

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
    until_ms: int | None
    """Until when the effective level stands, if nobody says more."""
    words: list[ProviderWord]
    """Most dangerous first, then newest; expired ones last."""


def strongest(assertions: Iterable[Assertion], providers: Container[str], *, now_ms: int) -> Assertion | None:
    """
    The assertion that decides about one IP at `now_ms`, or None when none does.

    This is how several providers combine, and the one place that knows it:

    1. Of each provider there is one assertion: which of its older and newer ones, `assertions` says.
    2. An assertion holds until its expiry, and not at it.
    3. Only those said by one of `providers` count. One that was deleted is not among them, nor is, where it matters
       what is enforced, one whose action is another than `enforce_and_log`.
    4. The highest level wins, whoever said it and whenever: a provider that is not worried takes nothing back of what
       another one said. Of equal ones the one that holds longest, for it says until when the level stands.
    """
    best: Assertion | None = None
    for said in assertions:
        if said.expires_ms > now_ms and said.provider_id in providers and (best is None or _outranks(said, best)):
            best = said
    return best


def _outranks(said: Assertion, other: Assertion) -> bool:
    if said.severity != other.severity:
        return said.severity > other.severity
    return said.expires_ms > other.expires_ms


def decide(assertions: Sequence[Assertion], actions: Mapping[str, RiskProviderAction], *, now_ms: int) -> Decision:
    """
    How risky the IP of `assertions` is at `now_ms`, with all that was said. The rules are those of `strongest`.

    Args:
        assertions: at most one of each provider, all about one IP.
        actions: of every provider the org has now, by id.
    """
    words = [
        ProviderWord(said, actions[said.provider_id], expired=said.expires_ms <= now_ms)
        for said in assertions
        if said.provider_id in actions
    ]
    enforcing = {name for name, action in actions.items() if action is RiskProviderAction.ENFORCE_AND_LOG}
    effective = strongest(assertions, enforcing, now_ms=now_ms)
    return Decision(
        level=_level(strongest(assertions, actions, now_ms=now_ms)),
        effective_level=_level(effective),
        until_ms=None if effective is None else effective.expires_ms,
        words=sorted(words, key=lambda word: (word.expired, -word.assertion.severity, -word.assertion.observed_ms)),
    )


def _level(said: Assertion | None) -> RiskLevel | None:
    return None if said is None else RiskLevel.of_severity(said.severity)
