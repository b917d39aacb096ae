"""Our model of the org's window against a second, simpler one that plays the org."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from support.minute_window import MinuteWindow
from tocsin.relay import Allowance, Window

T0 = datetime(2026, 2, 3, 9, 15, 0, 250_000, tzinfo=UTC)
GAPS_S = st.one_of(st.floats(0, 0.5), st.floats(0, 90))
LATENCIES_S = st.floats(0.001, 4)
SKEWS_S = st.floats(-300, 300)
LIMITS = st.integers(2, 40)


@given(st.lists(st.tuples(st.floats(0.0, 90.0), st.integers(1, 80)), max_size=20))
def test_counting_alone_is_enough_when_nothing_is_late(arrivals: list[tuple[float, int]]) -> None:
    org, ours, now = MinuteWindow(limit=30), Window(limit=30), T0
    for gap_s, count in arrivals:
        now += timedelta(seconds=gap_s)
        for _ in range(count):
            ours, wait = ours.spend(now)
            now += wait
            assert org.ask(now) == 202


@given(
    requests=st.lists(st.tuples(GAPS_S, LATENCIES_S, LATENCIES_S), min_size=1, max_size=130),
    skew_s=SKEWS_S,
    limit=LIMITS,
    tells=st.booleans(),
)
@example(requests=[(0.0, 0.01, 0.01)] * 130, skew_s=-300, limit=30, tells=True)
@example(requests=[(0.0, 0.01, 0.01)] * 130, skew_s=0, limit=30, tells=False)
@example(requests=[(0.0, 3.0, 0.01)] + [(0.0, 0.01, 0.01)] * 60, skew_s=0, limit=30, tells=False)  # a slow first one
def test_a_relay_alone_on_its_bucket_is_never_told_429(
    requests: list[tuple[float, float, float]], skew_s: float, limit: int, tells: bool
) -> None:
    """Whatever the pauses, the time on the way, the org's clock, and whether it tells its budget at all."""
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    ours, now = Window(limit=limit), T0
    for gap_s, up_s, down_s in requests:
        ours, wait = ours.spend(now + timedelta(seconds=gap_s))
        now += timedelta(seconds=gap_s) + wait
        arrived = now + timedelta(seconds=up_s)
        assert org.ask(arrived) == 202
        now = arrived + timedelta(seconds=down_s)
        ours = ours.heard(org.allowance(arrived) if tells else Allowance(), now=now)


@given(skew_s=SKEWS_S, limit=LIMITS, latency_s=st.floats(0.001, 0.2))
def test_the_whole_window_is_used_and_the_next_one_is_not_missed(skew_s: float, limit: int, latency_s: float) -> None:
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    ours, now, sent = Window(), T0, 0
    while now < T0 + timedelta(minutes=10):
        ours, wait = ours.spend(now)
        now += wait
        org.ask(now + timedelta(seconds=latency_s / 2))
        now += timedelta(seconds=latency_s)
        ours = ours.heard(org.allowance(now), now=now)
        sent += 1
    windows = timedelta(minutes=10) // (timedelta(seconds=60 + latency_s))
    assert sent >= limit * windows


@given(requests=st.integers(1, 200), limit=LIMITS, spent=st.integers(0, 40), later_s=st.floats(0, 59))
def test_the_estimate_is_what_spending_takes(requests: int, limit: int, spent: int, later_s: float) -> None:
    ours = Window(limit=limit)
    for _ in range(min(spent, limit)):
        ours, _ = ours.spend(T0)
    start = now = T0 + timedelta(seconds=later_s)
    estimate = ours.time_for(requests, now=start)
    for _ in range(requests):
        ours, wait = ours.spend(now)
        now += wait
    assert now - start == estimate
