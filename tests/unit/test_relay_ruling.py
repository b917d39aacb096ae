"""The failure table, line by line."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.relay import Answer, Failure
from tocsin.relay.ruling import Bisect, Delivered, PauseTarget, Quarantine, Ruling, SendAgain, rule

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)


def _rule(
    answer: Answer,
    *,
    subjects: int = 1000,
    tries: int = 1,
    known: bool = True,
    patient: bool = False,
    draw: float = 1.0,
) -> Ruling:
    return rule(answer, subjects=subjects, tries=tries, known=known, patient=patient, now=NOW, draw=draw)


def test_only_202_is_delivered() -> None:
    assert _rule(Answer(202)) == Delivered()
    assert isinstance(_rule(Answer(200, "OK")), PauseTarget)


@pytest.mark.parametrize("status", [400, 413])
def test_a_bad_request_is_halved_until_one_subject_is_left(status: int) -> None:
    assert _rule(Answer(status), subjects=2) == Bisect()
    assert _rule(Answer(status, "ip: is a test address"), subjects=1) == Quarantine(
        f"it answered {status}: ip: is a test address"
    )


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 409, 422])
def test_what_a_person_must_mend_stops_the_sending(status: int) -> None:
    ruling = _rule(Answer(status, "Invalid token provided", "get another token"))
    assert ruling == PauseTarget(f"it answered {status}: Invalid token provided", "get another token")


@pytest.mark.parametrize(("asked", "waited_s"), [(timedelta(seconds=42), 42), (None, 61), (timedelta(days=3650), 61)])
def test_429_waits_as_long_as_asked_and_no_longer_than_a_window(asked: timedelta | None, waited_s: int) -> None:
    ruling = _rule(Answer(429, retry_in=asked))
    assert isinstance(ruling, SendAgain)
    assert ruling.at == NOW + timedelta(seconds=waited_s)


@pytest.mark.parametrize("answer", [Answer(500), Answer(503), Answer(408), Answer(425), Answer(None, "reset")])
def test_a_passing_failure_is_tried_again_after_a_growing_pause(answer: Answer) -> None:
    pauses = []
    for tries in range(1, 6):
        ruling = _rule(answer, tries=tries)
        assert isinstance(ruling, SendAgain)
        pauses.append((ruling.at - NOW).total_seconds())
    assert pauses == [1, 2, 4, 8, 16]
    assert isinstance(_rule(answer, tries=6), PauseTarget)


def test_the_dice_halve_a_pause_at_most() -> None:
    ruling = _rule(Answer(500), tries=3, draw=0.0)
    assert isinstance(ruling, SendAgain)
    assert ruling.at == NOW + timedelta(seconds=2)


@pytest.mark.parametrize(("asked_s", "waited_s"), [(0.1, 1), (30, 30), (86400, 300)])
def test_retry_after_of_a_503_is_kept_within_reason(asked_s: float, waited_s: float) -> None:
    ruling = _rule(Answer(503, retry_in=timedelta(seconds=asked_s)))
    assert isinstance(ruling, SendAgain)
    assert ruling.at == NOW + timedelta(seconds=waited_s)


def test_a_target_that_never_answered_is_given_up_sooner() -> None:
    silence = Answer(None, "org.example refuses connections", "check the port")
    assert isinstance(_rule(silence, tries=2, known=False), SendAgain)
    assert _rule(silence, tries=3, known=False) == PauseTarget(
        "org.example refuses connections (3 tries)", "check the port"
    )
    assert isinstance(_rule(silence, tries=3, known=True), SendAgain)


def test_a_lasting_failure_is_not_tried_again() -> None:
    assert isinstance(_rule(Answer(None, "no trust", failure=Failure.LASTING)), PauseTarget)
