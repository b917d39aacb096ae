"""The rate limit against a second, simpler model: a list of when requests were allowed."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.org.rate_limit import RateLimits, Window, take

ARRIVALS = st.lists(st.tuples(st.floats(0.0, 90.0, allow_nan=False), st.integers(1, 40)), max_size=20)
T0 = 1_770_000_000.0


class OneMinute:
    """Remembers every request of the open window."""

    def __init__(self, limit: int) -> None:
        self.limit, self.seen = limit, [0.0][:0]

    def ask(self, now: float) -> bool:
        if self.seen and now - self.seen[0] >= 60:
            self.seen = []
        if len(self.seen) == self.limit:
            return False
        self.seen.append(now)
        return True


@given(ARRIVALS, st.integers(1, 30))
def test_it_allows_what_a_list_of_requests_allows(arrivals: list[tuple[float, int]], limit: int) -> None:
    window, model, elapsed = None, OneMinute(limit), 0.0
    for gap_s, count in arrivals:
        # Quarters of a second are exact in binary: the two models shall not differ by rounding.
        elapsed += round(gap_s * 4) / 4
        for _ in range(count):
            now = T0 + elapsed
            window, grant = take(window, limit=limit, now=now)
            assert grant.allowed == model.ask(now)
            assert grant.remaining == limit - len(model.seen)
            assert grant.limit == limit
            assert now < grant.reset <= now + 61


@given(st.integers(1, 50))
def test_a_refused_request_changes_nothing(extra: int) -> None:
    window: Window | None = None
    for _ in range(3):
        window, _ = take(window, limit=3, now=T0)
    full = window
    for _ in range(extra):
        window, grant = take(window, limit=3, now=T0 + 59)
        assert not grant.allowed
        assert grant.remaining == 0
    assert window == full


def test_a_window_opens_with_its_first_request_and_not_on_the_clock_minute() -> None:
    _, grant = take(None, limit=30, now=T0 + 12.25)
    assert (grant.reset, grant.remaining) == (int(T0) + 73, 29)


def test_a_window_is_over_after_exactly_a_minute() -> None:
    window, _ = take(None, limit=1, now=T0)
    assert not take(window, limit=1, now=T0 + 59.999)[1].allowed
    assert take(window, limit=1, now=T0 + 60)[1].allowed


def test_a_clock_set_back_does_not_lock_anybody_out() -> None:
    window = Window(T0 + 3600, 30)
    _, grant = take(window, limit=30, now=T0)
    assert grant.allowed


def test_many_principals_are_held_apart_and_forgotten_when_their_windows_close() -> None:
    limits = RateLimits({"events": 1})
    for minute in range(20):
        for number in range(500):
            principal = f"{minute}-{number}"
            assert limits.take("events", principal, now=T0 + minute * 61).allowed
            assert not limits.take("events", principal, now=T0 + minute * 61).allowed
    assert len(limits) < 2048
