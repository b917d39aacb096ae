"""Models: both spellings, lenient reading, strict writing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tocsin import okta

PRINTED = {
    "id": "rkp7b1ZfQm3xT9aLw0g7",
    "name": "edge-sensor",
    "clientId": "0oa4k2Yq8VfWn6Rsd0g7",
    "action": "enforce_and_log",
    "created": "2021-01-05 22:18:30",
    "lastUpdated": "2026-02-03T09:15:00.000Z",
    "_links": {"self": {"href": "https://org.example/x", "hints": {"allow": ["GET", "PUT", "BREW"]}}},
}


def test_the_other_spelling_of_a_level_is_the_level() -> None:
    subject = okta.RiskEventSubject(ip="192.0.2.1", riskLevel="HIGH")
    subject.riskLevel = "LOW"
    assert subject.risk_level == subject.riskLevel == "LOW"
    assert subject.to_dict() == {"ip": "192.0.2.1", "riskLevel": "LOW"}
    assert repr(subject) == "RiskEventSubject(ip='192.0.2.1', risk_level='LOW')"
    with pytest.raises(AttributeError, match="level"):
        subject.level = "LOW"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="level"):
        okta.RiskEventSubject(level="LOW")  # type: ignore[call-arg]


def test_an_empty_event_can_be_built_as_the_page_does() -> None:
    event = okta.RiskEvent()
    assert event.subjects is None
    assert event.to_dict() == {}
    assert repr(event) == "RiskEvent()"


@pytest.mark.parametrize("name", ["risk_level", "riskLevel"])
def test_constructors_take_both_spellings(name: str) -> None:
    subject = okta.RiskEventSubject(**{"ip": "192.0.2.1", name: "HIGH"})
    assert subject.risk_level is okta.RiskEventSubjectRiskLevel.HIGH
    assert subject == okta.RiskEventSubject(ip="192.0.2.1", risk_level=okta.RiskEventSubjectRiskLevel.HIGH)
    assert subject.to_dict() == {"ip": "192.0.2.1", "riskLevel": "HIGH"}


def test_a_wrong_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(okta.ApiTypeError, match="RiskEvent has no field 'subject'") as caught:
        okta.RiskEvent(subject=[])  # type: ignore[call-arg]
    assert caught.value.hint == "its fields are expires_at, subjects, timestamp"
    with pytest.raises(okta.ApiAttributeError, match="no field 'expiresAt'"):
        okta.RiskEvent().expiresAt = datetime.now(UTC)


def test_assigning_reads_values_like_the_constructor() -> None:
    event = okta.RiskEvent()
    event.expires_at = "2026-02-03T10:15:00+01:00"
    event.subjects = [{"ip": "192.0.2.1", "riskLevel": "LOW"}]  # type: ignore[list-item]
    assert event.expires_at == datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
    assert event.subjects == [okta.RiskEventSubject(ip="192.0.2.1", risk_level="LOW")]


def test_times_go_out_in_the_one_wire_form() -> None:
    moment = datetime(2026, 2, 3, 10, 15, 0, 123987, tzinfo=timezone(timedelta(hours=1)))
    assert okta.RiskEvent(timestamp=moment).to_dict() == {"timestamp": "2026-02-03T09:15:00.123Z"}
    with pytest.raises(okta.ApiValueError, match="names no time zone"):
        okta.RiskEvent(timestamp=datetime(2026, 2, 3)).to_dict()  # noqa: DTZ001  # what it is about


def test_a_provider_is_read_as_orgs_print_it() -> None:
    provider = okta.RiskProvider.from_dict(PRINTED)
    assert provider.created == datetime(2021, 1, 5, 22, 18, 30, tzinfo=UTC)
    assert provider.last_updated == datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
    assert provider.links is not None
    assert provider.links.var_self is not None
    assert provider.links.var_self.hints == okta.HrefObjectHints(allow=["GET", "PUT", "BREW"])
    assert "created=datetime" in repr(provider)


def test_read_only_fields_are_not_sent() -> None:
    provider = okta.RiskProvider.from_dict(PRINTED)
    assert sorted(provider.to_dict()) == ["_links", "action", "clientId", "name"]


@pytest.mark.parametrize("client_id", ["null", None])
def test_a_client_id_of_null_is_none_in_both_spellings(client_id: str | None) -> None:
    assert okta.RiskProvider.from_dict({"clientId": client_id}).client_id is None


def test_an_action_nobody_knew_is_kept_as_a_string() -> None:
    provider = okta.RiskProvider.from_dict({"action": "quarantine", "new": 1})
    assert provider.action == "quarantine"
    assert okta.RiskProvider().action is okta.RiskProviderAction.LOG_ONLY


def test_json_goes_round() -> None:
    event = okta.RiskEvent(
        timestamp="2026-02-03T09:15:00Z",
        subjects=[okta.RiskEventSubject(ip="2001:db8::1", risk_level="LOW", message="scan")],
    )
    assert okta.RiskEvent.from_json(event.to_json()) == event
    assert "'ip': '2001:db8::1'" in event.to_str()
    assert okta.RiskEvent.from_json("null") is None
    with pytest.raises(okta.ApiValueError, match="a RiskEvent cannot be read"):
        okta.RiskEvent.from_json("{")
    with pytest.raises(okta.ApiTypeError, match="not from list"):
        okta.RiskEvent.from_json("[]")


def test_words_read_from_json() -> None:
    assert okta.RiskEventSubjectRiskLevel.from_json('"HIGH"') is okta.RiskEventSubjectRiskLevel.HIGH
    with pytest.raises(okta.ApiValueError, match="not one of HIGH, LOW, MEDIUM"):
        okta.RiskEventSubjectRiskLevel.from_json('"high"')
