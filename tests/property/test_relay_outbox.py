"""The outbox against a model of it that keeps everything in dictionaries and decides anew each time it is asked."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tocsin.relay import Outbox, Rank
from tocsin.relay.changes import Served
from tocsin.relay.intake import Prepared, Row
from tocsin.relay.plan import pack
from tocsin.relay.reconcile import LEAST_LIFE_MS, Policy

FEW = settings(max_examples=settings().max_examples // 4, deadline=None)  # each takes a while
T0_MS = 1_770_110_100_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
IPS = [bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([n]) for n in range(5)]
SOURCES = ["a", "b"]
RAISE = {1: Rank.RAISE_LOW, 2: Rank.RAISE_MEDIUM, 3: Rank.RAISE_HIGH}
REFRESH = {1: Rank.REFRESH_LOW, 2: Rank.REFRESH_MEDIUM, 3: Rank.REFRESH_HIGH}


class Claimed(NamedTuple):
    severity: int
    observed_ms: int
    expires_ms: int
    reading: int


class Told(NamedTuple):
    severity: int
    told_ms: int
    until_ms: int


class Model:
    """What should be so."""

    def __init__(self) -> None:
        self.now_ms = T0_MS
        self.claims: dict[tuple[bytes, str], Claimed] = {}
        self.reading = dict.fromkeys(SOURCES, 1)
        self.told: dict[bytes, Told] = {}

    def take_in(self, source: str, key: bytes, severity: int, observed_ms: int, expires_ms: int) -> None:
        held = self.claims.get((key, source))
        new = Claimed(severity, observed_ms, expires_ms, self.reading[source])
        if held is None or self._recency(new) >= self._recency(held):
            if held is not None and not severity:
                new = new._replace(expires_ms=max(expires_ms, held.expires_ms))
            self.claims[key, source] = new
        elif severity:
            self.claims[key, source] = held._replace(reading=new.reading)

    def end_list(self, source: str) -> None:
        reading = self.reading[source]
        stale = [at for at, claim in self.claims.items() if at[1] == source and claim.reading < reading]
        for at in stale:
            del self.claims[at]
        self.reading[source] += 1

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.forget()

    def wanted(self, key: bytes) -> tuple[int, int]:
        """Severity and end; zeros for nothing."""
        holding = [
            (claim.severity, claim.expires_ms)
            for (ip, _), claim in self.claims.items()
            if ip == key and claim.severity and claim.expires_ms >= self.now_ms + LEAST_LIFE_MS
        ]
        return max(holding, default=(0, 0))

    def rank(self, key: bytes) -> Rank:
        severity, expires_ms = self.wanted(key)
        told = self.told.get(key, Told(0, 0, 0))
        left_ms = told.until_ms - self.now_ms
        held = told.severity if left_ms > 0 else 0
        if severity > held:
            return RAISE[severity]
        if severity < held:
            return Rank.LOWER if left_ms > LEAST_LIFE_MS else Rank.NOTHING
        soon_ms = min(HOUR_MS, (told.until_ms - told.told_ms) // 4)
        if severity and left_ms <= soon_ms and expires_ms > told.until_ms + LEAST_LIFE_MS:
            return REFRESH[severity]
        return Rank.NOTHING

    def pending(self) -> dict[bytes, Rank]:
        return {key: rank for key in IPS if (rank := self.rank(key)) is not Rank.NOTHING}

    def forget(self) -> None:
        self.claims = {at: claim for at, claim in self.claims.items() if claim.expires_ms > self.now_ms}

    def _recency(self, claim: Claimed) -> tuple[int, bool, int, int]:
        return claim.observed_ms, claim.severity == 0, claim.severity, claim.expires_ms


class Claim(NamedTuple):
    source: str
    key: bytes
    severity: int
    observed_min: int
    life_min: int


claims = st.builds(
    Claim,
    st.sampled_from(SOURCES),
    st.sampled_from(IPS),
    st.integers(0, 3),
    st.integers(-90, 0),
    st.sampled_from([1, 30, 100, 600, 3000]),
)
steps = st.one_of(
    st.lists(claims, min_size=1, max_size=6),
    st.sampled_from(SOURCES),  # the end of its list
    st.integers(1, 400).map(float),  # minutes that pass
    st.integers(1, 6),  # a request of at most so many
)


@contextmanager
def opened() -> Iterator[tuple[Outbox, int]]:
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox")
        for source in SOURCES:
            outbox.source(source)
        number = outbox.target("acme").number
        outbox.serve([Served(Policy(target=number), lambda key: False)])
        yield outbox, number
        outbox.close()


def _take_in(outbox: Outbox, model: Model, found: list[Claim]) -> None:
    for source in SOURCES:
        rows: list[Row] = []
        for claim in found:
            if claim.source == source:
                observed_ms = model.now_ms + claim.observed_min * MINUTE_MS
                expires_ms = observed_ms + claim.life_min * MINUTE_MS
                rows.append((claim.key, claim.severity, observed_ms, expires_ms, b"seen"))
                model.take_in(source, claim.key, claim.severity, observed_ms, expires_ms)
        if rows:
            outbox.take_in([Prepared(source, rows)], now_ms=model.now_ms)
            model.forget()


def _end_list(outbox: Outbox, model: Model, source: str) -> None:
    outbox.take_in([Prepared(source, [], ends_list=True)], now_ms=model.now_ms)
    while outbox.let_go_step(now_ms=model.now_ms, limit=2):
        assert outbox.source(source).walk_from != b""
    model.end_list(source)


def _tell(outbox: Outbox, model: Model, number: int, at_most: int) -> None:
    best = outbox.best(number, now_ms=model.now_ms, at_most=at_most)
    assert best.stale == []
    ranks = [telling.rank for telling in best.tellings]
    assert ranks == sorted(model.pending().values())[:at_most]
    if best.tellings:
        request = pack(best.tellings, now_ms=model.now_ms)
        for event in request.events:
            for telling in event.tellings:
                severity, expires_ms = model.wanted(telling.key)
                assert telling.severity == severity
                assert event.until_ms <= (expires_ms if severity else model.now_ms + LEAST_LIFE_MS)
                model.told[telling.key] = Told(severity or 1, model.now_ms, event.until_ms)
        outbox.in_flight.sends("acme", request)
        outbox.in_flight.answered("acme", outbox.target("acme"), delivered=True, now_ms=model.now_ms)


def _wake(outbox: Outbox, model: Model) -> None:
    while outbox.wake(now_ms=model.now_ms, limit=2):
        assert len(outbox) <= len(IPS)


def _compare(outbox: Outbox, model: Model, number: int) -> None:
    best = outbox.best(number, now_ms=model.now_ms, at_most=100)
    expected = model.pending()
    assert {telling.key: telling.rank for telling in best.tellings} == expected
    assert best.stale == []
    for rank, waiting in outbox.backlog(number).items():
        assert waiting.count == list(expected.values()).count(rank)
        assert (waiting.oldest_ms is None) == (waiting.count == 0)


@FEW
@given(st.lists(steps, max_size=25))
def test_what_waits_is_the_difference_between_what_is_claimed_and_what_was_told(
    moves: list[list[Claim] | str | float | int],
) -> None:
    note(f"{moves}")
    model = Model()
    with opened() as (outbox, number):
        for move in moves:
            match move:
                case list():
                    _take_in(outbox, model, move)
                case str():
                    _end_list(outbox, model, move)
                case float():
                    model.pass_time(int(move * MINUTE_MS))
                    _wake(outbox, model)
                case int():
                    _tell(outbox, model, number, move)
            _compare(outbox, model, number)
        while model.pending():
            _tell(outbox, model, number, 3)
        _compare(outbox, model, number)
        # Everything ends: nothing is held about anything any more, and nothing is due.
        model.pass_time(10_000 * MINUTE_MS)
        _wake(outbox, model)
        assert len(outbox) == 0
        assert outbox.pending(number) == 0


@FEW
@given(st.lists(st.lists(claims, min_size=1, max_size=5), min_size=1, max_size=8), st.data())
def test_replaying_any_prefix_changes_nothing(batches: list[list[Claim]], data: st.DataObject) -> None:
    model = Model()
    lasting = [[claim._replace(life_min=3000) for claim in batch] for batch in batches]
    with opened() as (outbox, number):
        for batch in lasting:
            _take_in(outbox, model, batch)
        while model.pending():
            _tell(outbox, model, number, 4)
        for batch in lasting[: data.draw(st.integers(1, len(lasting)))]:
            _take_in(outbox, model, batch)
            assert outbox.pending(number) == 0
        _compare(outbox, model, number)


@FEW
@given(st.lists(st.lists(claims, min_size=1, max_size=5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(batches: list[list[Claim]], random: object) -> None:
    found = [claim._replace(life_min=max(claim.life_min, 100)) for batch in batches for claim in batch]
    ends = []
    for _ in range(2):
        with opened() as (outbox, number):
            _take_in(outbox, Model(), found)
            best = outbox.best(number, now_ms=T0_MS, at_most=100)
            ends.append({(telling.key, telling.rank, telling.severity, telling.until_ms) for telling in best.tellings})
        random.shuffle(found)  # type: ignore[attr-defined]
    assert ends[0] == ends[1]
