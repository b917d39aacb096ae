"""Who shall have what: balanced, and nothing moves that need not."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.relay.fleet import owner_of, share_of

NAMES = st.text(min_size=1, max_size=20)
WORKERS = st.sets(NAMES, min_size=1, max_size=8)
ITEMS = st.sets(NAMES, max_size=60)
TARGETS = [f"target.org-{number}" for number in range(10_000)]


@given(ITEMS, WORKERS)
def test_each_item_has_one_owner_whatever_the_order(items: set[str], workers: set[str]) -> None:
    for item in items:
        assert owner_of(item, sorted(workers)) == owner_of(item, sorted(workers, reverse=True))
    shares = [share_of(worker, items, workers) for worker in workers]
    assert sum(len(share) for share in shares) == len(items)
    assert set[str]().union(*shares) == items


@given(ITEMS, WORKERS, NAMES)
def test_only_what_must_move_moves_when_one_comes_and_when_it_goes(
    items: set[str], workers: set[str], new: str
) -> None:
    before = workers - {new}
    for item in items:
        was, now = owner_of(item, before), owner_of(item, before | {new})
        assert now in (was, new)


def test_who_is_alone_with_nobody_has_nothing() -> None:
    assert owner_of("target.acme", []) is None
    assert share_of("a", ["target.acme"], ["b"]) == set()


@pytest.mark.parametrize("workers", [["w1", "w2", "w3", "w4"], [f"relay-{n}.example-{n * 7:08x}" for n in range(4)]])
def test_ten_thousand_targets_over_four_workers_are_even_within_ten_percent(workers: list[str]) -> None:
    counts = Counter(owner_of(target, workers) for target in TARGETS)
    assert set(counts) == set(workers)
    assert all(abs(count - 2500) <= 250 for count in counts.values()), counts


def test_a_fifth_worker_takes_a_fifth_and_a_dead_one_leaves_a_quarter() -> None:
    four = ["w1", "w2", "w3", "w4"]
    owners = {target: owner_of(target, four) for target in TARGETS}
    moved_in = sum(owner_of(target, [*four, "w5"]) != owner for target, owner in owners.items())
    moved_out = sum(owner_of(target, four[:3]) != owner for target, owner in owners.items())
    assert abs(moved_in - 2000) <= 200
    assert moved_out == sum(owner == "w4" for owner in owners.values())
