"""What one answer changes in the model of the budget."""

from datetime import UTC, datetime, timedelta

from tocsin.relay import Allowance, Window

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)


def _after_one() -> Window:
    return Window().spend(NOW)[0]


def test_what_the_org_grants_replaces_what_the_documentation_says() -> None:
    window = _after_one().heard(Allowance(15, 14, timedelta(seconds=60)), now=NOW)
    assert (window.limit, window.left) == (15, 14)


def test_others_who_share_the_credential_are_counted_by_the_org() -> None:
    window = _after_one().heard(Allowance(30, 2, timedelta(seconds=20)), now=NOW)
    assert window.left == 2
    assert window.closes_at == NOW + timedelta(seconds=20)


def test_a_limit_of_zero_is_the_one_of_concurrency_and_not_of_the_window() -> None:
    window = _after_one().heard(Allowance(0, 0, timedelta(seconds=30)), now=NOW)
    assert (window.limit, window.left) == (30, 0)
    assert window.spend(NOW)[1] == timedelta(seconds=30)


def test_an_org_cannot_make_us_sleep_for_longer_than_a_window() -> None:
    for window in (Window(), _after_one()):
        told = window.heard(Allowance(30, 0, timedelta(days=3650)), now=NOW)
        assert told.spend(NOW)[1] == timedelta(seconds=60)


def test_a_window_that_the_request_opened_is_as_long_as_its_answer_says() -> None:
    answered = NOW + timedelta(seconds=1)
    window = _after_one().heard(Allowance(30, 29, timedelta(seconds=60)), now=answered)
    assert window.closes_at == answered + timedelta(seconds=60)


def test_what_is_granted_beyond_our_share_is_left_to_others() -> None:
    window = Window(at_most=10).heard(Allowance(30, 25, timedelta(seconds=20)), now=NOW)
    assert (window.limit, window.left) == (10, 5)


def test_37_requests_take_a_window_and_a_bit() -> None:
    assert Window().time_for(30, now=NOW) == timedelta(0)
    assert Window().time_for(37, now=NOW) == timedelta(seconds=60)
    assert Window().time_for(61, now=NOW) == timedelta(seconds=120)
