"""However slow the answers are, the fleet's clock is as near to the leader's as it says, and never goes back."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tocsin.journal.jetstream.clock import Measured, advanced, apart_s, better

DRIFT = 150e-6
ON_THE_WAY_S = 1e-3
"""While questions are on their way, six seconds at most here, the clocks run apart by less: it is not counted."""


class Question(NamedTuple):
    after_s: float
    there_s: float
    back_s: float


QUESTIONS = st.lists(st.builds(Question, st.floats(0, 1000), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=20)


@given(QUESTIONS, st.floats(-1e6, 1e6), st.floats(-DRIFT, DRIFT), st.floats(0, 500))
def test_the_leaders_clock_is_between_the_bounds(
    questions: list[Question], ahead_s: float, drift: float, later_s: float
) -> None:
    def leader_s(at_s: float) -> float:
        return ahead_s + at_s * (1 + drift)

    now_s, known = 0.0, None
    for question in questions:
        sent_s = now_s + question.after_s
        stamped_s = leader_s(sent_s + question.there_s)
        now_s = sent_s + question.there_s + question.back_s
        new = Measured.of(sent_s=sent_s, stamped_s=stamped_s, received_s=now_s)
        assert known is None or apart_s(known, new) < ON_THE_WAY_S
        known = new if known is None else better(known, new)
        assert known.high_s - known.low_s <= new.high_s - new.low_s + 1e-6, "never worse than the newest alone"
    assert known is not None
    slack_s = later_s * 200e-6 + ON_THE_WAY_S
    apart_then_s = leader_s(now_s + later_s) - (now_s + later_s)
    assert known.low_s - slack_s <= apart_then_s <= known.high_s + slack_s


@given(st.floats(-300, 300).filter(lambda jump_s: abs(jump_s) > 1))
def test_another_leader_counts_at_once(jump_s: float) -> None:
    known = Measured.of(sent_s=10.0, stamped_s=1010.0, received_s=10.01)
    new = Measured.of(sent_s=20.0, stamped_s=1020.0 + jump_s, received_s=20.01)
    assert better(known, new) == new
    assert abs(apart_s(known, new) - abs(jump_s)) < 0.1


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-300, 300)), max_size=30))
def test_time_never_goes_back_never_leaps_and_comes_right_again(steps: list[tuple[float, float]]) -> None:
    shown_s = now_s = 1000.0
    for passed_s, off_s in steps:
        now_s += passed_s
        before_s, shown_s = shown_s, advanced(shown_s, passed_s, now_s + off_s)
        assert before_s <= shown_s <= before_s + 1.05 * passed_s
    wait_s = 21 * abs(shown_s - now_s)
    assert abs(advanced(shown_s, wait_s, now_s + wait_s) - (now_s + wait_s)) < 1e-6
