"""What a request promises, for any work."""

from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.relay import Rank, Telling, pack
from tocsin.relay.okta_target import risk_events
from tocsin.relay.plan import halves
from tocsin.relay.reconcile import LEAST_LIFE_MS
from tocsin.signals import RiskLevel, conforms, from_ms, limits, to_ms

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
NOW_MS = to_ms(NOW)
MAPPED = bytes(10) + b"\xff\xff"
LIVES_MS = st.integers(LEAST_LIFE_MS, 200_000_000)


def _key(number: int) -> bytes:
    return MAPPED + number.to_bytes(4, "big")


@st.composite
def works(draw: st.DrawFn) -> list[Telling]:
    """Up to 2,500 tellings of distinct IPs, few of them different in kind, so that large ones stay cheap to draw."""
    kinds = draw(st.lists(st.tuples(st.integers(0, 3), LIVES_MS), min_size=1, max_size=12))
    count = draw(st.integers(1, 2500))
    picks = [kinds[(number * 7919) % len(kinds)] for number in range(count)]
    return [
        Telling(_key(number + 1), int(Rank.RAISE_HIGH), severity, NOW_MS + life if severity else 0, f"n{number}")
        for number, (severity, life) in enumerate(picks)
    ]


LET_GO_BEFORE_A_FULL_REQUEST = [
    Telling(_key(1), int(Rank.LOWER), 0, 0),
    *(Telling(_key(number), int(Rank.RAISE_HIGH), 3, NOW_MS + LEAST_LIFE_MS) for number in range(2, 1002)),
]


@settings(max_examples=60, deadline=None)
@given(works())
@example(LET_GO_BEFORE_A_FULL_REQUEST)
def test_every_request_is_legal_and_tells_the_best_that_fit(work: list[Telling]) -> None:
    request = pack(work, now_ms=NOW_MS)
    assert conforms(risk_events(request))
    told = {telling.key for telling in request.tellings}
    assert len(told) == len(request.tellings)
    best = work[: limits.SUBJECTS_PER_REQUEST]
    let_go = sum(not telling.severity for telling in best)
    # What is let go fills events of its own, so of these at most one is not full; nothing else is left out.
    room = limits.SUBJECTS_PER_REQUEST - (-let_go % limits.SUBJECTS_PER_EVENT if let_go else 0)
    assert len(told) == min(len(best), room)
    left_out = [telling for telling in best if telling.key not in told]
    last_told = max((at for at, telling in enumerate(best) if telling.key in told and telling.severity), default=-1)
    assert all(best.index(telling) > last_told for telling in left_out)


@settings(max_examples=60, deadline=None)
@given(works())
def test_a_thousand_that_hold_fill_a_request(work: list[Telling]) -> None:
    holding = [telling for telling in work if telling.severity]
    if holding:
        request = pack(holding, now_ms=NOW_MS)
        assert len(request.tellings) == min(len(holding), limits.SUBJECTS_PER_REQUEST)
        assert [len(event.tellings) for event in request.events[:-1]] == [50] * (len(request.events) - 1)


@settings(max_examples=60, deadline=None)
@given(works())
def test_nothing_is_claimed_longer_than_its_source_said(work: list[Telling]) -> None:
    by_ip = {telling.ip: telling for telling in work}
    for event in risk_events(pack(work, now_ms=NOW_MS)):
        assert event.timestamp == NOW
        assert event.expires_at is not None
        for subject in event.subjects:
            telling = by_ip[subject.ip]
            ends_ms = telling.until_ms if telling.severity else NOW_MS + LEAST_LIFE_MS
            assert NOW < event.expires_at <= from_ms(ends_ms)
            assert subject.risk_level == (
                RiskLevel.of_severity(telling.severity) if telling.severity else RiskLevel.LOW
            )


def test_what_has_ended_while_it_waited_is_claimed_for_the_least_that_an_org_takes() -> None:
    (event,) = pack([Telling(_key(1), int(Rank.RAISE_HIGH), 3, NOW_MS - 1)], now_ms=NOW_MS).events
    assert event.until_ms == NOW_MS + LEAST_LIFE_MS


@given(st.lists(st.integers(1, 2**31), min_size=2, max_size=1000, unique=True))
def test_halves_hold_together_what_the_whole_held(numbers: list[int]) -> None:
    whole = [Telling(_key(number), 1, 3, NOW_MS + LEAST_LIFE_MS) for number in numbers]
    first, second = halves(whole)
    assert first
    assert second
    assert [*first, *second] == whole
