"""The SDK sends what an org takes, and nothing else; every way to say it gives the same bytes."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tocsin import okta, signals
from tocsin.okta.bodies import events_body
from tocsin.okta.headers import Headers
from tocsin.okta.ruling import retry_wait_s

IPS = st.one_of(
    st.ip_addresses().map(str), st.sampled_from(["", "1.2.3", "10.0.0.0/8", "::1%lo", "01.2.3.4"]), st.none()
)
LEVELS = st.sampled_from(["HIGH", "MEDIUM", "LOW", "high", "", None])
MESSAGES = st.one_of(st.none(), st.text("abc .-_,é", max_size=4), st.just("x" * 513))
TEXTS = ["2026-02-03T09:15:00+01:00", "x"]
MOMENTS = st.one_of(
    st.none(), st.datetimes(timezones=st.just(UTC)), st.sampled_from(["2026-02-03T09:15:00+01:00", "x"])
)
SUBJECTS = st.fixed_dictionaries({"ip": IPS, "riskLevel": LEVELS, "message": MESSAGES})
EVENTS = st.fixed_dictionaries(
    {"subjects": st.one_of(st.none(), st.lists(SUBJECTS, max_size=3)), "timestamp": MOMENTS, "expiresAt": MOMENTS}
)
GOOD_SUBJECTS = st.fixed_dictionaries(
    {"ip": st.ip_addresses().map(str), "riskLevel": st.sampled_from(["HIGH", "LOW"]), "message": st.just("a b")}
)
GOOD_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
GOOD_EVENTS = st.fixed_dictionaries(
    {"subjects": st.lists(GOOD_SUBJECTS, min_size=1, max_size=4), "timestamp": GOOD_MOMENTS, "expiresAt": GOOD_MOMENTS}
)


def body_or_paths(events: list[Any]) -> bytes | list[str]:
    try:
        return events_body(events, check=True)
    except okta.InvalidInstance as error:
        return [problem.path for problem in error.problems]


@given(st.lists(EVENTS, max_size=3))
def test_models_and_dicts_in_both_spellings_are_one(events: list[dict[str, Any]]) -> None:
    models = [okta.RiskEvent.from_dict(event) for event in events]
    snake = [{("expires_at" if k == "expiresAt" else k): v for k, v in event.items()} for event in events]
    assert body_or_paths(events) == body_or_paths(models) == body_or_paths(snake)


@given(st.lists(EVENTS, max_size=3))
def test_what_is_refused_here_would_be_refused_there(events: list[dict[str, Any]]) -> None:
    models = [okta.RiskEvent.from_dict(event) for event in events]
    try:
        signals.decode_events(events_body(models, check=False))
        taken = True
    except signals.InvalidSignals:
        taken = False
    assert isinstance(body_or_paths(models), bytes) is taken


@given(st.lists(GOOD_EVENTS, min_size=1, max_size=5))
def test_good_events_arrive_as_they_were_meant(events: list[dict[str, Any]]) -> None:
    body = events_body(events, check=True)
    structs = signals.decode_events(body)
    assert events_body(structs, check=True) == body
    for event, struct in zip(events, structs, strict=True):
        assert [subject.ip for subject in struct.subjects] == [subject["ip"] for subject in event["subjects"]]
        assert struct.expires_at == event["expiresAt"].replace(
            microsecond=event["expiresAt"].microsecond // 1000 * 1000
        )


HEADER_VALUES = st.one_of(
    st.integers(-5, 2**40).map(str), st.text(max_size=8), st.just("Tue, 03 Feb 2026 09:15:00 GMT"), st.just("9" * 400)
)
HEADER_NAMES = st.sampled_from(["Date", "X-Rate-Limit-Reset", "X-Rate-Limit-Remaining", "Retry-After"])


@given(
    st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES)),
    st.integers(100, 599),
    st.integers(0, 2000),
    st.floats(0, 100),
    st.floats(0, 1),
)
def test_no_header_makes_a_wait_longer_than_allowed(
    headers: list[tuple[str, str]], status: int, attempt: int, max_wait_s: float, draw: float
) -> None:
    reply = okta.RESTResponse(status, "", Headers(headers), b"", url="")
    now = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
    wait_s = retry_wait_s(reply, repeatable=True, attempt=attempt, max_wait_s=max_wait_s, now=now, draw=draw)
    assert wait_s is None or 0 <= wait_s <= max_wait_s
    assert wait_s is None or status == 429 or status >= 500


@given(st.binary(max_size=60), st.lists(st.tuples(st.just("WWW-Authenticate"), st.text(max_size=60))))
def test_any_answer_can_be_raised_and_printed(body: bytes, headers: list[tuple[str, str]]) -> None:
    answer = okta.RESTResponse(400, "Bad Request", Headers(headers), body, url="https://org.example")
    error = okta.BadRequestException(http_resp=answer)
    assert str(error).startswith("(400)\nReason: Bad Request\n")
