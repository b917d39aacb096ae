"""When the next request may go, at the edges."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.relay import Window
from tocsin.relay.budget import Haste, may_go_at

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


@pytest.mark.parametrize("haste", Haste)
def test_a_window_that_is_used_up_is_waited_for_whatever_waits(haste: Haste) -> None:
    assert may_go_at(Window(left=0, closes_at=LATER), haste=haste, last_sent=NOW, now=NOW) == LATER


@pytest.mark.parametrize("haste", Haste)
def test_nothing_waits_where_no_window_is_open(haste: Haste) -> None:
    assert may_go_at(Window(left=0, closes_at=NOW), haste=haste, last_sent=NOW, now=NOW) == NOW


@pytest.mark.parametrize(("left", "wait_s"), [(14, 2), (15, 0)])
def test_what_is_dangerous_goes_at_once_where_the_rest_of_the_window_is_no_slower_than_usual(
    left: int, wait_s: int
) -> None:
    window = Window(left=left, closes_at=LATER)
    at = may_go_at(window, haste=Haste.DANGEROUS, last_sent=NOW, now=NOW)
    assert at == NOW + timedelta(seconds=wait_s)


def test_a_slot_that_has_passed_is_taken_now() -> None:
    window, late = Window(left=29, closes_at=LATER), NOW + timedelta(seconds=10)
    assert may_go_at(window, haste=Haste.SPREAD, last_sent=NOW, now=late) == late
