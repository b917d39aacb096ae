from tocsin.org.assertions import Assertion, Life, consumed, life_of, replaces
from tocsin.org.decision import decide
from tocsin.org.records import ConsumedEvent, local_deed
from tocsin.signals import RiskLevel, RiskProviderAction, decode_events

NOW_MS = 1_000_000
LOG, ENFORCE = RiskProviderAction.LOG_ONLY, RiskProviderAction.ENFORCE_AND_LOG


def said(provider: str, severity: int, *, expires_ms: int = NOW_MS + 1) -> Assertion:
    return Assertion(provider, severity, observed_ms=0, expires_ms=expires_ms, seq=1, position=0)


def test_an_ip_nobody_spoke_about_has_no_level() -> None:
    decision = decide([], {"a": ENFORCE}, now_ms=NOW_MS)
    assert (decision.level, decision.effective_level, decision.words) == (None, None, [])


def test_the_highest_level_counts_and_only_enforcing_providers_have_an_effect() -> None:
    decision = decide([said("a", 1), said("b", 3)], {"a": ENFORCE, "b": LOG}, now_ms=NOW_MS)
    assert decision.level is RiskLevel.HIGH
    assert decision.effective_level is RiskLevel.LOW
    assert [word.assertion.provider_id for word in decision.words] == ["b", "a"]


def test_of_equal_levels_the_one_that_holds_longest_says_until_when() -> None:
    words = [said("a", 2, expires_ms=NOW_MS + 5), said("b", 2, expires_ms=NOW_MS + 9), said("c", 2)]
    for order in (words, words[::-1]):
        assert decide(order, dict.fromkeys("abc", ENFORCE), now_ms=NOW_MS).until_ms == NOW_MS + 9


def test_an_assertion_ends_at_its_expiry_and_is_still_told() -> None:
    decision = decide([said("a", 3, expires_ms=NOW_MS)], {"a": ENFORCE}, now_ms=NOW_MS)
    assert decision.level is None
    assert [word.expired for word in decision.words] == [True]
    assert decide([said("a", 3, expires_ms=NOW_MS)], {"a": ENFORCE}, now_ms=NOW_MS - 1).level is RiskLevel.HIGH


def test_the_word_of_a_deleted_provider_does_not_count() -> None:
    decision = decide([said("gone", 3), said("a", 1)], {"a": ENFORCE}, now_ms=NOW_MS)
    assert decision.level is RiskLevel.LOW
    assert len(decision.words) == 1


def test_nothing_was_observed_after_it_was_received_and_nothing_lives_for_ever() -> None:
    day_ms = 24 * 3600 * 1000
    assert life_of(event(None, None), received_ms=NOW_MS) == Life(NOW_MS, NOW_MS + day_ms)
    assert life_of(event(NOW_MS + 5, 7), received_ms=NOW_MS) == Life(NOW_MS, 7)
    assert life_of(event(NOW_MS - 5, None), received_ms=NOW_MS) == Life(NOW_MS - 5, NOW_MS + day_ms)


def test_newest_observed_wins_then_last_arrived_and_what_had_expired_never() -> None:
    held = Life(observed_ms=100, expires_ms=1000)
    assert replaces(held, 1000, 101, received_ms=500)
    assert replaces(held, 1000, 100, received_ms=500)
    assert not replaces(held, 1000, 99, received_ms=999)
    assert replaces(held, 1000, 99, received_ms=1000)
    # What was kept away would hold until 2000: until then the newer one stands before it, expired as it is.
    assert not replaces(held, 2000, 99, received_ms=1999)
    assert replaces(held, 2000, 99, received_ms=2000)


def test_a_record_keeps_what_was_sent() -> None:
    body = b"""[{"timestamp": "1970-01-01T00:00:01Z", "subjects": [
        {"ip": "1.2.3.4", "riskLevel": "HIGH"}, {"ip": "::1", "riskLevel": "LOW", "message": "why"}]},
        {"expiresAt": "1970-01-01T00:00:02Z", "subjects": [{"ip": "1.2.3.4", "riskLevel": "MEDIUM"}]}]"""
    record = consumed(decode_events(body), deed=local_deed(3), provider_id="p")
    first, second = record.events
    assert (first.timestamp_ms, first.expires_ms, first.severities, first.messages) == (
        1000,
        None,
        b"\3\1",
        ["", "why"],
    )
    assert first.ips == bytes(10) + b"\xff\xff\1\2\3\4" + bytes(15) + b"\1"
    assert (second.timestamp_ms, second.expires_ms, second.severities, second.messages) == (None, 2000, b"\2", None)


def test_a_position_tells_event_and_subject() -> None:
    assertion = Assertion("p", 1, 0, 0, seq=1, position=19 * 50 + 49)
    assert (assertion.event, assertion.subject) == (19, 49)


def event(timestamp_ms: int | None, expires_ms: int | None) -> ConsumedEvent:
    return ConsumedEvent(timestamp_ms, expires_ms, b"", b"", None)
