"""For how long a worker may act, who may take what, and how a name becomes a word of a topic."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.journal.key_value import check_key
from tocsin.journal.rules import check_append
from tocsin.relay import TargetConfig
from tocsin.relay.fleet import FleetConfig, Timing
from tocsin.relay.fleet.lease import NO_LEASE, renewed
from tocsin.relay.fleet.membership import Owner, digest_of, key_of, may_take
from tocsin.relay.fleet.names import word


@given(st.floats(1, 3600), st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0, 1))
def test_a_worker_ends_before_anyone_else_may_begin(lease_s: float, asked_s: float, way_s: float, at: float) -> None:
    timing = Timing(lease_s)
    lease = renewed(timing, asked_s=asked_s)
    written_s = asked_s + way_s  # not before it was asked for
    gone_s = written_s + timing.life_s
    assert lease.ends_s < gone_s
    assert not lease.holds(gone_s)
    # It misses four renewals, and still holds what it has.
    assert lease.holds(asked_s + 4 * timing.round_s) or timing.round_s < 1e-9 * asked_s


@given(st.floats(1, 3600))
def test_others_notice_within_the_lease(lease_s: float) -> None:
    timing = Timing(lease_s)
    assert timing.life_s + timing.round_s < lease_s


@given(st.floats(0, 9))
def test_a_renewal_that_took_as_long_as_an_election_leaves_time_for_the_next(took_s: float) -> None:
    timing = Timing(FleetConfig().lease_s)
    next_asked_s = took_s + timing.pause_s(asked_s=0, now_s=took_s)
    assert renewed(timing, asked_s=0).ends_s - next_asked_s >= 2


def test_without_a_lease_nobody_acts() -> None:
    assert not NO_LEASE.holds(-1e12)


@pytest.mark.parametrize(
    ("owner", "may"),
    [
        (None, True),
        (Owner("target.a", ""), True),
        (Owner("target.a", "me"), True),
        (Owner("target.a", "dead"), True),
        (Owner("target.a", "other"), False),
    ],
)
def test_what_another_living_worker_has_is_not_taken(owner: Owner | None, may: bool) -> None:
    assert may_take(owner, "me", live=frozenset({"me", "other"})) is may


@given(st.lists(st.text(max_size=12), min_size=2, max_size=2, unique=True).filter(lambda two: "_" not in two))
def test_every_name_is_a_word_of_its_own(two: list[str]) -> None:
    one, other = (word(name) for name in two)
    assert one != other or "" in two
    check_append(f"signals.{one}", b"")
    check_key(key_of(f"target.{two[1]}"))


def test_workers_that_serve_other_things_have_another_digest() -> None:
    assert digest_of(["target.a", "target.b"]) == digest_of(["target.b", "target.a"])
    assert digest_of(["target.a"]) != digest_of(["target.b"])


def test_the_stream_remembers_a_list_until_it_is_said_again() -> None:
    with pytest.raises(msgspec.ValidationError, match="signals_life_s"):
        msgspec.convert({"signals_life_s": 3600}, FleetConfig)


def test_no_telling_may_outlast_what_the_fleet_remembers() -> None:
    fleet = FleetConfig(told_life_s=3600)
    fleet.check("acme", TargetConfig(url="https://a", token_env="T", longest_life_s=3600))
    with pytest.raises(ValueError, match=r"targets.acme.longest_life_s: 3601 is more than fleet.told_life_s"):
        fleet.check("acme", TargetConfig(url="https://a", token_env="T", longest_life_s=3601))
