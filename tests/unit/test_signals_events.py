"""Risk events: every problem is named with its path, and what is fine is encoded in the documented form."""

from datetime import UTC, datetime

import msgspec
import pytest

from tocsin.signals import (
    InvalidSignals,
    ProblemKind,
    RiskEvent,
    RiskEventSubject,
    RiskLevel,
    conforms,
    decode_events,
    encode_events,
    event_problems,
)

SUBJECT = {"ip": "203.0.113.9", "riskLevel": "HIGH"}


def refusal(value: object) -> list[str]:
    with pytest.raises(InvalidSignals) as caught:
        decode_events(msgspec.json.encode(value))
    return [str(problem) for problem in caught.value.problems]


def kinds(value: object) -> list[ProblemKind]:
    return [problem.kind for problem in event_problems(value)]


def test_the_documented_form_is_read() -> None:
    body = b"""[{"timestamp":"2026-02-03T09:15:00.328082+00:00","expiresAt":"2026-02-04T10:15:00.000+01:00","unknown":1,
                 "subjects":[{"ip":"2001:db8::1","riskLevel":"LOW","message":"seen 2 times","unknown":null}]}]"""
    assert decode_events(body) == [
        RiskEvent(
            subjects=[RiskEventSubject("2001:db8::1", RiskLevel.LOW, "seen 2 times")],
            timestamp=datetime(2026, 2, 3, 9, 15, 0, 328082, tzinfo=UTC),
            expires_at=datetime(2026, 2, 4, 9, 15, tzinfo=UTC),
        )
    ]


def test_the_documented_form_is_written() -> None:
    moment = datetime(2026, 2, 3, 9, 15, 0, 328082, tzinfo=UTC)
    event = RiskEvent([RiskEventSubject("203.0.113.9", RiskLevel.HIGH)], timestamp=moment, expires_at=moment)
    assert encode_events([event]) == (
        b'[{"timestamp":"2026-02-03T09:15:00.328Z","expiresAt":"2026-02-03T09:15:00.328Z",'
        b'"subjects":[{"ip":"203.0.113.9","riskLevel":"HIGH"}]}]'
    )


def test_all_problems_are_listed_and_each_names_its_place() -> None:
    value = [
        {"subjects": [SUBJECT]},
        {},
        {"timestamp": "2026-02-03T09:15:00", "subjects": [{"riskLevel": "SEVERE"}]},
        {"subjects": [SUBJECT | {"ip": "10.0.0.300"}, SUBJECT | {"message": "a:b"}]},
    ]
    assert refusal(value) == [
        "[1].subjects: is missing: 1 to 50 subjects are needed",
        "[2].timestamp: '2026-02-03T09:15:00' names no offset: end it with Z or one such as +00:00",
        "[2].subjects[0].ip: is missing: an IPv4 or IPv6 address is needed",
        "[2].subjects[0].riskLevel: 'SEVERE' is not HIGH, MEDIUM or LOW",
        "[3].subjects[0].ip: '10.0.0.300' is not an IPv4 or IPv6 address",
        "[3].subjects[1].message: holds ':': only letters, digits, blank, '.', '-' and '_' are allowed",
    ]


def test_a_problem_knows_the_bare_name_of_its_field() -> None:
    assert [problem.field for problem in event_problems([{}, 7])] == ["subjects", ""]
    assert [problem.field for problem in event_problems([{"subjects": [SUBJECT | {"ip": "x"}]}])] == ["ip"]


@pytest.mark.parametrize(("events", "subjects", "fine"), [(20, 50, True), (21, 50, False), (20, 51, False)])
def test_the_limits_are_20_events_of_50_subjects(events: int, subjects: int, *, fine: bool) -> None:
    value = [{"subjects": [SUBJECT] * subjects}] * events
    if fine:
        assert len(decode_events(msgspec.json.encode(value))) == events
    else:
        assert any("at most" in line for line in refusal(value))


def test_a_message_of_512_characters_is_the_longest() -> None:
    assert decode_events(msgspec.json.encode([{"subjects": [SUBJECT | {"message": "x" * 512}]}]))
    assert refusal([{"subjects": [SUBJECT | {"message": "x" * 513}]}]) == [
        "[0].subjects[0].message: 513 characters: at most 512 are allowed"
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, ProblemKind.SHAPE),
        ([], ProblemKind.MISSING),
        ([1], ProblemKind.SHAPE),
        ([{"subjects": {}}], ProblemKind.SHAPE),
        ([{"subjects": []}], ProblemKind.MISSING),
        ([{"subjects": None}], ProblemKind.MISSING),
        ([{"subjects": [SUBJECT | {"ip": 7}]}], ProblemKind.SHAPE),
        ([{"subjects": [SUBJECT | {"riskLevel": "high"}]}], ProblemKind.SHAPE),
        ([{"subjects": [SUBJECT | {"message": 7}]}], ProblemKind.SHAPE),
        ([{"subjects": [SUBJECT], "expiresAt": 7}], ProblemKind.SHAPE),
        ([{"subjects": [SUBJECT], "expiresAt": "0001-01-01T00:00:00+23:59"}], ProblemKind.SHAPE),
    ],
)
def test_a_wrong_shape_is_told_from_a_broken_rule(value: object, kind: ProblemKind) -> None:
    assert kinds(value) == [kind]
    assert len(refusal(value)) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused_as_one_problem(body: bytes) -> None:
    with pytest.raises(InvalidSignals) as caught:
        decode_events(body)
    assert [problem.kind for problem in caught.value.problems] == [ProblemKind.SHAPE]


def test_the_text_of_the_error_is_one_line_however_many_problems() -> None:
    with pytest.raises(InvalidSignals, match=r"; and 15 more$") as caught:
        decode_events(msgspec.json.encode([{}] * 20))
    assert "\n" not in str(caught.value)


def test_events_built_by_hand_with_wrong_types_do_not_conform() -> None:
    naive = datetime(2026, 2, 3)  # noqa: DTZ001, the mistake under test
    subject = RiskEventSubject("203.0.113.9", RiskLevel.HIGH)
    assert conforms([RiskEvent([subject])])
    assert not conforms([RiskEvent([subject], timestamp=naive)])
    assert not conforms([RiskEvent([RiskEventSubject(None, RiskLevel.HIGH)])])  # type: ignore[arg-type]
    assert not conforms([RiskEvent([RiskEventSubject("203.0.113.9", "SEVERE")])])  # type: ignore[arg-type]
    assert not conforms([RiskEvent(None)])  # type: ignore[arg-type]
    assert not conforms([RiskEvent([RiskEventSubject("203.0.113.9", RiskLevel.HIGH, 7)])])  # type: ignore[arg-type]
