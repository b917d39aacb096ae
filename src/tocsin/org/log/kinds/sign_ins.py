"""Sign-ins in the System Log. Source: spec 5.6.

`policy.evaluate_sign_on` says what the policy made of it. `user.session.start` follows when a session may start, or
when the own checks of the asking system were not passed; a sign-in that is blocked or still to be challenged has none.

What an enforced provider said stands in `partnerRisk`, as Okta prints it. What `reasons` of `risk` say then is not
public (U): here what the providers gave as their reasons, or their names. The word of providers that are only logged
stands in `logOnlySecurityData` when nothing else is known; then, as seen, there is no `risk`.
"""

from collections.abc import Sequence

import msgspec

from tocsin.org.log.draft import Caller, Draft, drafted
from tocsin.org.log.event import Actor, Outcome, Result, Risk, Target
from tocsin.org.log.java import java_list, java_map
from tocsin.org.log.kinds.policy import POLICY_ID
from tocsin.org.policy import Action
from tocsin.org.records import PartnerWord, SignInEvaluated
from tocsin.signals import RiskLevel

_RESULTS = {Action.ALLOW: Result.ALLOW, Action.CHALLENGE: Result.CHALLENGE, Action.DENY: Result.DENY}
_REASON_CHARS = 255


def sign_in_evaluated(record: SignInEvaluated) -> list[Draft]:
    """What the policy made of it, and the start of the session when there is one to tell of."""
    drafts = [_evaluation(record)]
    if not record.success:
        failed = Outcome(Result.FAILURE, "VERIFICATION_ERROR")
        drafts.append(_session(record, failed, "core.user_auth.login_failed"))
    elif record.action is Action.ALLOW:
        drafts.append(_session(record, Outcome(Result.SUCCESS), "core.user_auth.login_success"))
    return drafts


def _evaluation(record: SignInEvaluated) -> Draft:
    result = _RESULTS[record.action]
    policy = Target(POLICY_ID, "PolicyEntity", "unknown", "Risk policy", {"policyType": "OktaSignOn"})
    rule = Target(f"{POLICY_ID}.{record.rule}", "PolicyRule", POLICY_ID, record.rule)
    outcome = Outcome(result, f"Sign-on policy evaluation resulted in {result}"[:_REASON_CHARS])
    message = "Evaluation of sign-on policy"
    return _draft(record, "policy.evaluate_sign_on", message, policy, rule, outcome=outcome)


def _session(record: SignInEvaluated, outcome: Outcome, legacy_type: str) -> Draft:
    return _draft(record, "user.session.start", "User login to Okta", outcome=outcome, legacy_type=legacy_type)


def _draft(
    record: SignInEvaluated,
    event_type: str,
    message: str,
    *targets: Target,
    outcome: Outcome,
    legacy_type: str | None = None,
) -> Draft:
    user = record.user
    return drafted(
        record.deed,
        event_type,
        message,
        *targets,
        actor=Actor(user.id, "User", user.login, user.name),
        caller=Caller(record.ip, record.user_agent),
        outcome=outcome,
        legacy_type=legacy_type,
        risk=Risk(_level(record), _reasons(record.partners)),
        debug=lambda: _debug(record),
    )


def _level(record: SignInEvaluated) -> str:
    """Okta has no level below LOW."""
    return record.effective_level or RiskLevel.LOW


def _reasons(words: Sequence[PartnerWord]) -> list[str]:
    return [word.message or word.provider_name for word in words]


def _debug(record: SignInEvaluated) -> dict[str, str]:
    data = {"signInId": record.id, "threatSuspected": "false"}
    if record.logged and not record.partners:
        worst = {"level": record.logged[0].level, "reasons": ", ".join(_reasons(record.logged))}
        return {**data, "logOnlySecurityData": msgspec.json.encode({"risk": worst}).decode()}
    reasons = ", ".join(_reasons(record.partners))
    data["risk"] = java_map({"reasons": reasons, "level": _level(record)} if reasons else {"level": _level(record)})
    if record.partners:
        data["partnerRisk"] = java_list(_partner(word) for word in record.partners)
    return data


def _partner(word: PartnerWord) -> str:
    if word.message:
        return java_map({"reasons": word.message, "level": word.level.value, "name": word.provider_name})
    return java_map({"name": word.provider_name, "level": word.level.value})
