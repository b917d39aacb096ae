"""Times on the wire: any RFC 3339 offset in, one form out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tocsin.signals import format_timestamp, from_ms, parse_timestamp, to_ms

MOMENT = datetime(2026, 2, 3, 9, 15, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T09:15:00.123Z",
        "2026-02-03T09:15:00.123000+00:00",
        "2026-02-03T10:45:00.123+01:30",
        "2026-02-03t09:15:00.123z",
    ],
)
def test_every_spelling_of_a_moment_is_read(text: str) -> None:
    assert parse_timestamp(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-02-03T09:15:00", "names no offset"),
        ("2026-02-03", "is not an RFC 3339 time"),
        ("yesterday", "is not an RFC 3339 time"),
        ("2026-02-30T09:15:00Z", "is not an RFC 3339 time"),
        ("", "is not an RFC 3339 time"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_timestamp(text)


def test_the_wire_form_is_utc_with_three_digits() -> None:
    there = timezone(timedelta(hours=-6))
    assert format_timestamp(datetime(2026, 2, 3, 3, 15, tzinfo=there)) == "2026-02-03T09:15:00.000Z"


def test_the_wire_form_cuts_and_never_rounds_up() -> None:
    assert format_timestamp(MOMENT + timedelta(microseconds=999)) == "2026-02-03T09:15:00.123Z"


def test_milliseconds_go_both_ways_also_before_1970() -> None:
    for ms in (0, -1, 1770110100123):
        assert to_ms(from_ms(ms)) == ms
