"""What the plan promises, for any backlog."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.relay import coalesce, pack, pick, rank
from tocsin.relay.plan import LEAST_LIFE, halves
from tocsin.signals import RiskLevel, Signal, conforms, ip_text, limits

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
LEVELS = st.sampled_from(RiskLevel)
MINUTES = st.integers(-2000, 2000).map(lambda minutes: timedelta(minutes=minutes))


def _ip(number: int) -> str:
    return ip_text(bytes(10) + b"\xff\xff" + number.to_bytes(4, "big"))


signals = st.builds(
    Signal,
    ip=st.integers(1, 40).map(_ip),
    level=LEVELS,
    observed=MINUTES.map(lambda ago: NOW + ago),
    expires=MINUTES.map(lambda ahead: NOW + ahead),
    message=st.sampled_from(["", "listed", "seen"]),
    source=st.sampled_from("abc"),
)


@st.composite
def backlogs(draw: st.DrawFn) -> list[Signal]:
    """Up to 2,500 signals of distinct IPs, few of them different in kind, so that large ones stay cheap to draw."""
    kinds = draw(st.lists(st.tuples(LEVELS, MINUTES, MINUTES), min_size=1, max_size=12))
    count = draw(st.integers(1, 2500))
    picks = [kinds[(number * 7919) % len(kinds)] for number in range(count)]
    return [
        Signal(_ip(number + 1), level, NOW + ago, NOW + ahead, f"n{number}")
        for number, (level, ago, ahead) in enumerate(picks)
    ]


@given(st.lists(signals, max_size=80))
def test_of_an_ip_the_highest_of_the_latest_of_each_source_remains(found: list[Signal]) -> None:
    kept = {signal.ip: signal for signal in coalesce(found)}
    assert kept.keys() == {signal.ip for signal in found}
    for ip, winner in kept.items():
        latest_levels = []
        for source in "abc":
            of_source = [signal for signal in found if signal.ip == ip and signal.source == source]
            newest = max((signal.observed for signal in of_source), default=None)
            latest_levels += (
                [max(signal.level.severity for signal in of_source if signal.observed == newest)] if of_source else []
            )
        assert winner in found
        assert winner.level.severity == max(latest_levels)


@given(st.lists(signals, max_size=80), st.randoms(use_true_random=False))
def test_coalescing_again_or_in_another_order_changes_nothing(found: list[Signal], random: object) -> None:
    once = coalesce(found)
    assert coalesce(once) == once
    shuffled = found[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {signal.ip: signal for signal in coalesce(shuffled)} == {signal.ip: signal for signal in once}


@settings(max_examples=60, deadline=None)
@given(backlogs())
def test_every_request_is_legal_full_and_holds_the_most_dangerous(backlog: list[Signal]) -> None:
    ranked = rank(backlog)
    holding = [signal for signal in ranked if signal.expires >= NOW + LEAST_LIFE]
    order = [(-signal.level.severity, signal.observed) for signal in ranked]
    assert all(earlier <= later for earlier, later in pairwise(order))
    left, told, expired = list(ranked), 0, 0
    while left:
        picked = pick(left, now=NOW)
        expired += len(picked.expired)
        assert len(picked.chosen) == min(limits.SUBJECTS_PER_REQUEST, len(holding) - told)
        assert list(picked.chosen) == holding[told : told + len(picked.chosen)]
        told += len(picked.chosen)
        left = list(picked.rest)
        if picked.chosen:
            assert conforms(pack(picked.chosen, now=NOW).events)
    assert told + expired == len(backlog)


@settings(max_examples=60, deadline=None)
@given(backlogs())
def test_nothing_is_claimed_longer_than_its_source_said(backlog: list[Signal]) -> None:
    chosen = pick(rank(backlog), now=NOW).chosen
    if not chosen:
        return
    expires = {signal.ip: signal.expires for signal in chosen}
    request = pack(chosen, now=NOW)
    told = [(event, subject) for event in request.events for subject in event.subjects]
    assert sorted(subject.ip for _, subject in told) == sorted(expires)
    for event, subject in told:
        assert event.timestamp == NOW
        assert event.expires_at is not None
        assert NOW < event.expires_at <= expires[subject.ip]
    # Cut by expiry into as few events as can be: all but the last are full.
    assert [len(event.subjects) for event in request.events[:-1]] == [50] * (len(request.events) - 1)


@given(st.lists(signals, min_size=2, max_size=40, unique_by=lambda signal: signal.ip))
def test_halves_hold_together_what_the_whole_held(found: list[Signal]) -> None:
    first, second = halves(pack(found, now=NOW), now=NOW)
    assert first.signals
    assert second.signals
    assert sorted(signal.ip for signal in first.signals + second.signals) == sorted(signal.ip for signal in found)
