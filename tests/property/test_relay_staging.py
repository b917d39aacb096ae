"""What was staged on disk comes to the same as what was taken in as it came; and counting does, too."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.cli.distinct import Distinct
from tocsin.relay import Staging
from tocsin.relay.intake import Prepared, prepare
from tocsin.relay.record import Claim, with_claim
from tocsin.signals import Batch, Retraction, RiskLevel, Signal, Skipped, SkipReason

T0 = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
ADDRESSES = [f"203.0.{n // 4}.{n % 4}" for n in range(16)] + [f"2001:db8::{n}" for n in range(4)]


def _claim(source: str, ip: str, minute: int, level: RiskLevel | None, life: int) -> Signal | Retraction:
    observed = T0 + timedelta(minutes=minute)
    if level is None:
        return Retraction(ip, observed, source)
    return Signal(ip, level, observed, observed + timedelta(hours=life), f"seen {minute}", source)


def _batches(source: str) -> st.SearchStrategy[Batch]:
    said = st.tuples(
        st.sampled_from(ADDRESSES), st.integers(0, 5), st.sampled_from([*RiskLevel, None]), st.integers(1, 3)
    ).map(lambda each: _claim(source, *each))
    skipped = st.lists(st.integers(1, 9).map(lambda n: Skipped(SkipReason.BAD_TIME, n, "no time", "x")), max_size=2)
    return st.builds(
        lambda claims, skips, ends: Batch(source=source, claims=claims, skipped=skips, ends_list=ends),
        st.lists(said, max_size=12),
        skipped,
        st.booleans(),
    )


def _folded(batches: Iterable[Prepared]) -> dict[tuple[str, bytes], list[Claim]]:
    found: dict[tuple[str, bytes], list[Claim]] = {}
    for batch in batches:
        for key, severity, observed_ms, expires_ms, message in batch.rows:
            claim = Claim(1, severity, observed_ms, expires_ms, 1, message)
            found[batch.source, key] = list(with_claim(found.get((batch.source, key), []), claim))
    return found


@given(st.lists(st.sampled_from("ab").flatmap(_batches), max_size=8), st.integers(1, 40))
def test_what_was_staged_says_the_same(batches: list[Batch], in_memory: int) -> None:
    with Staging(in_memory=in_memory) as staging:
        for batch in batches:
            staging.add(batch)
        groups = list(staging.in_order())
        assert staging.sources == list(dict.fromkeys(batch.source for batch in batches))
    staged = [prepared for group in groups for prepared in group]
    assert _folded(staged) == _folded(map(prepare, batches))
    assert [one for each in staged for one in each.skipped] == [one for each in batches for one in each.skipped]
    assert [p.source for p in staged if p.ends_list] == [batch.source for batch in batches if batch.ends_list]
    assert all(sum(len(prepared.rows) for prepared in group) <= max(in_memory, 12 + in_memory) for group in groups)


@given(st.lists(st.lists(st.sampled_from(ADDRESSES), max_size=9)), st.integers(1, 20))
def test_what_is_different_is_counted(some: list[list[str]], in_memory: int) -> None:
    with Distinct(in_memory=in_memory) as distinct:
        for texts in some:
            distinct.add(texts)
        assert distinct.count() == len({text for texts in some for text in texts})


def test_what_is_staged_comes_in_the_order_of_its_addresses_each_in_one_group() -> None:
    ips = [f"{a}.{b}.{c}.9" for a in range(20, 40) for b in range(10) for c in range(10)]
    with Staging(in_memory=100) as staging:
        for at in range(0, len(ips), 50):  # as a file has them: all over the place
            some = [ips[(n * 997) % len(ips)] for n in range(at, at + 50)]
            staging.add(Batch(source="a", claims=[_claim("a", ip, 0, RiskLevel.HIGH, 1) for ip in some]))
        groups = [[row[0] for prepared in group for row in prepared.rows] for group in staging.in_order()]
    assert [key for group in groups for key in group] == sorted(key for group in groups for key in group)
    assert sum(map(len, groups)) == len(ips)
    assert len(groups) < 2 * len(ips) // 100 + 2
