"""Sign-ins: each is evaluated by what is known about its IP at that moment, and logged with all that was known."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tocsin.journal import Journal
from tocsin.org.decision import ProviderWord
from tocsin.org.ids import new_id
from tocsin.org.records import SIGN_IN_TOPIC, Deed, PartnerWord, SignInEvaluated, SignInUser, encode_record
from tocsin.org.verdict import Verdict
from tocsin.signals import RiskLevel, RiskProviderAction, ip_text


class SignIn(Struct, frozen=True):
    """What is asked about."""

    user: SignInUser
    key: bytes
    """The 16-byte key of the IP it comes from."""
    user_agent: str
    success: bool
    """Whether the asking system's own checks were passed."""


def evaluated(sign_in: SignIn, verdict: Verdict, *, deed: Deed, sign_in_id: str) -> SignInEvaluated:
    """The record of `sign_in`, evaluated by `verdict`. Pure."""
    holding = [word for word in verdict.words if not word.expired]

    def said(action: RiskProviderAction) -> list[PartnerWord]:
        return [_partner(word, verdict) for word in holding if word.action is action]

    return SignInEvaluated(
        deed=deed,
        id=sign_in_id,
        user=sign_in.user,
        ip=ip_text(sign_in.key),
        user_agent=sign_in.user_agent,
        success=sign_in.success,
        effective_level=verdict.effective_level,
        action=verdict.ruling.action,
        rule=verdict.ruling.rule,
        partners=said(RiskProviderAction.ENFORCE_AND_LOG),
        logged=said(RiskProviderAction.LOG_ONLY),
    )


def _partner(word: ProviderWord, verdict: Verdict) -> PartnerWord:
    provider = verdict.providers[word.assertion.provider_id]
    level = RiskLevel.of_severity(word.assertion.severity)
    return PartnerWord(provider.id, provider.name, level, verdict.messages[provider.id])


class SignIns:
    """Evaluates and logs."""

    def __init__(self, journal: Journal, look_up: Callable[[bytes], Awaitable[Verdict]]) -> None:
        self._journal, self._look_up = journal, look_up

    async def evaluate(self, sign_in: SignIn, *, deed: Deed) -> tuple[SignInEvaluated, Verdict, int]:
        """The record, what it was made of, and its seq; durable when this returns. Raises JournalError or OrgError."""
        verdict = await self._look_up(sign_in.key)
        record = evaluated(sign_in, verdict, deed=deed, sign_in_id=new_id("sgn"))
        return record, verdict, await self._journal.append(SIGN_IN_TOPIC, encode_record(record))
