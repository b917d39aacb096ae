"""When a request may go, for any arrivals, against a second, simpler model that plays the org."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from support.minute_window import MinuteWindow
from tocsin.relay import Window
from tocsin.relay.budget import Haste, may_go_at

FEW = settings(max_examples=settings().max_examples // 4, deadline=None)  # each takes a while
T0 = datetime(2026, 2, 3, 9, 15, 0, 250_000, tzinfo=UTC)
SKEWS_S = st.floats(-300, 300)
LIMITS = st.integers(2, 40)
RTTS_S = st.floats(0.001, 0.5)


class Client:
    """Sends through its own window; all on one bucket of the org."""

    def __init__(self, org: MinuteWindow, *, rtt_s: float, at_most: int | None = None) -> None:
        self.window, self.last_sent = Window(at_most=at_most), None
        self._org, self._half = org, timedelta(seconds=rtt_s / 2)
        self.statuses: list[int] = []

    last_sent: datetime | None

    def at(self, haste: Haste, now: datetime) -> datetime:
        return may_go_at(self.window, haste=haste, last_sent=self.last_sent, now=now)

    def send(self, now: datetime) -> datetime:
        """Returns: when the answer was there."""
        self.window, wait = self.window.spend(now)
        assert wait == timedelta(0)
        self.last_sent = now
        self.statuses.append(self._org.ask(now + self._half))
        answered = now + 2 * self._half
        self.window = self.window.heard(self._org.allowance(now + self._half), now=answered)
        return answered


@FEW
@given(
    st.lists(st.tuples(st.floats(0, 70), st.sampled_from(Haste)), min_size=1, max_size=120),
    LIMITS,
    SKEWS_S,
    RTTS_S,
    st.none() | st.integers(1, 40),
)
def test_the_limit_of_no_window_is_passed_in_any_order_of_arrivals(
    arrivals: list[tuple[float, Haste]], limit: int, skew_s: float, rtt_s: float, at_most: int | None
) -> None:
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    client, now = Client(org, rtt_s=rtt_s, at_most=at_most), T0
    sent: list[datetime] = []
    for gap_s, haste in arrivals:
        now += timedelta(seconds=gap_s)
        while (at := client.at(haste, now)) > now:
            now = at
        sent.append(now)
        now = client.send(now)
    assert set(client.statuses) == {202}
    if at_most is not None:
        # The first answer tells what is granted; until then the documented limit is believed.
        for start in sent:
            within = [at for at in sent if start <= at < start + timedelta(seconds=59)]
            assert len(within) <= max(2 * min(at_most, limit), 2)


@FEW
@given(st.lists(st.floats(0, 300), min_size=1, max_size=60), LIMITS, SKEWS_S, RTTS_S)
def test_something_dangerous_waits_one_slot_at_most_behind_any_backlog(
    arrivals_s: list[float], limit: int, skew_s: float, rtt_s: float
) -> None:
    """The backlog never ends, and each request has room for whatever dangerous has come meanwhile."""
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    client, now = Client(org, rtt_s=rtt_s), T0
    coming = sorted(T0 + timedelta(seconds=at) for at in arrivals_s)
    client.send(now)  # what the org grants is known from its first answer on
    now += timedelta(seconds=rtt_s)
    slot = timedelta(seconds=(60 + rtt_s) / limit + rtt_s + 0.001)
    waiting: list[datetime] = []
    while coming or waiting:
        waiting += [at for at in coming if at <= now]
        coming = [at for at in coming if at > now]
        at = client.at(Haste.DANGEROUS if waiting else Haste.SPREAD, now)
        if at > now:
            now = min([at, *coming])  # as the sender does: whatever comes makes it think again
            continue
        for since in waiting:
            assert now - since <= slot
        waiting = []
        now = client.send(now)
    assert set(client.statuses) == {202}


@FEW
@given(LIMITS, SKEWS_S, RTTS_S)
def test_a_backlog_uses_the_whole_budget(limit: int, skew_s: float, rtt_s: float) -> None:
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    client, now = Client(org, rtt_s=rtt_s), T0
    while now < T0 + timedelta(minutes=10):
        while (at := client.at(Haste.SPREAD, now)) > now:
            now = at
        now = client.send(now)
    windows = timedelta(minutes=10) // timedelta(seconds=60 + rtt_s)
    assert len(client.statuses) >= limit * windows
    assert set(client.statuses) == {202}


@FEW
@given(st.integers(2, 4), st.integers(4, 40), SKEWS_S, RTTS_S, st.randoms(use_true_random=False))
def test_several_workers_on_one_bucket_learn_of_each_other(
    workers: int, limit: int, skew_s: float, rtt_s: float, random: object
) -> None:
    """Each knows only what the org tells it: none is refused more than once in a window."""
    org = MinuteWindow(limit=limit, skew=timedelta(seconds=skew_s))
    clients = [Client(org, rtt_s=rtt_s) for _ in range(workers)]
    now = T0
    while now < T0 + timedelta(minutes=5):
        at = min(client.at(Haste.SPREAD, now) for client in clients)
        now = max(now, at)
        ready = [client for client in clients if client.at(Haste.SPREAD, now) <= now]
        now = random.choice(ready).send(now)  # type: ignore[attr-defined]
    for client in clients:
        assert client.statuses.count(429) <= 6
