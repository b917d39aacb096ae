"""The rate limit against a second, simpler model: a list of when requests were allowed."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tocsin.org.rate_limit import Grant, MemoryWindows, RateLimits, Window, take

ARRIVALS = st.lists(st.tuples(st.floats(0.0, 90.0, allow_nan=False), st.integers(1, 40)), max_size=20)
T0 = 1_770_000_000.0


class OneMinute:
    """Remembers every request of the open window, and which of them it allowed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.knocks: list[float] = []
        self.allowed: list[float] = []

    def free(self, now: float) -> int:
        """Somebody knocks: how many more are allowed?"""
        if self.knocks and now - self.knocks[0] >= 60:
            self.knocks, self.allowed = [], []
        self.knocks.append(now)
        return self.limit - len(self.allowed)

    def ask(self, now: float) -> bool:
        if self.free(now) == 0:
            return False
        self.allowed.append(now)
        return True


def ask(window: Window | None, *, limit: int, now: float) -> tuple[Window, Grant]:
    """One principal alone in its org."""
    _, own, grant = take(window, window, limit=limit, share=limit, now=now)
    return own, grant


@given(ARRIVALS, st.integers(1, 30))
def test_it_allows_what_a_list_of_requests_allows(arrivals: list[tuple[float, int]], limit: int) -> None:
    window, model, elapsed = None, OneMinute(limit), 0.0
    for gap_s, count in arrivals:
        # Quarters of a second are exact in binary: the two models shall not differ by rounding.
        elapsed += round(gap_s * 4) / 4
        for _ in range(count):
            now = T0 + elapsed
            window, grant = ask(window, limit=limit, now=now)
            assert grant.allowed == model.ask(now)
            assert grant.remaining == limit - len(model.allowed)
            assert grant.limit == limit
            assert now < grant.reset <= now + 61


@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from("abc")), max_size=80),
    st.integers(1, 12),
    st.integers(1, 100),
)
async def test_nobody_passes_its_share_nor_all_together_the_limit(
    arrivals: list[tuple[float, str]], limit: int, percent: int
) -> None:
    limits, share = (
        RateLimits({"events": limit}, MemoryWindows(), share_percent=percent),
        max(1, limit * percent // 100),
    )
    org, own, elapsed = OneMinute(limit), {name: OneMinute(share) for name in "abc"}, 0.0
    for gap_s, name in arrivals:
        elapsed += round(gap_s * 4) / 4
        now = T0 + elapsed
        grant = await limits.take("events", name, clock=partial(float, now))
        free = min(org.free(now), own[name].free(now))
        assert grant.allowed == (free > 0)
        if free:
            org.ask(now)
            own[name].ask(now)
        assert grant.remaining == max(0, free - 1)
        assert grant.limit in (limit, share)


@given(st.integers(1, 50))
def test_a_refused_request_costs_nothing_and_the_first_is_told_apart(extra: int) -> None:
    window: Window | None = None
    for _ in range(3):
        window, _ = ask(window, limit=3, now=T0)
    assert window is not None
    full, first = window, []
    for _ in range(extra):
        window, grant = ask(window, limit=3, now=T0 + 59)
        assert not grant.allowed
        assert grant.remaining == 0
        first.append(grant.first_refusal)
    assert window == full._replace(refused=True)
    assert first == [True] + [False] * (extra - 1)


def test_a_window_opens_with_its_first_request_and_not_on_the_clock_minute() -> None:
    _, grant = ask(None, limit=30, now=T0 + 12.25)
    assert (grant.reset, grant.remaining) == (int(T0) + 73, 29)


def test_a_window_is_over_after_exactly_a_minute() -> None:
    window, _ = ask(None, limit=1, now=T0)
    assert not ask(window, limit=1, now=T0 + 59.999)[1].allowed
    assert ask(window, limit=1, now=T0 + 60)[1].allowed


def test_a_clock_set_back_does_not_lock_anybody_out() -> None:
    window = Window(T0 + 3600, 30)
    _, grant = ask(window, limit=30, now=T0)
    assert grant.allowed


async def test_one_who_has_a_bucket_alone_has_all_of_it() -> None:
    limits = RateLimits({"token": 4}, MemoryWindows(), share_percent=50)
    for who in ("0oa1 at 203.0.113.9", "0oa1 at 2001:db8::1", " at "):
        told = [limits.take_of_stranger("token", who, now=T0) for _ in range(5)]
        assert [(grant.allowed, grant.limit) for grant in told] == [(True, 4)] * 4 + [(False, 4)]
    assert (await limits.take("token", "known", clock=lambda: T0)).limit == 2


async def test_closed_windows_are_forgotten() -> None:
    windows = MemoryWindows()
    limits = RateLimits({"events": 500}, windows, share_percent=1)
    for minute in range(20):
        now = T0 + minute * 61
        for number in range(100):
            for _ in range(5):
                assert (await limits.take("events", f"{minute}-{number}", clock=partial(float, now))).allowed
        assert not (await limits.take("events", "one more", clock=partial(float, now))).allowed
    assert len(windows) < 2048
