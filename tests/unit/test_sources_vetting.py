"""Which address is the attacker, and which never are."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.signals import Retraction, RiskLevel, Signal, Skipped, SkipReason
from tocsin.sources import Guard, Reading, SourceError, guard_of
from tocsin.sources.reading import Block, Claim
from tocsin.sources.vetting import MAX_LIFE, Vetting

NOW = datetime(2026, 8, 22, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OWN, PROXY = "198.18.7.0/24", "10.9.9.9"
GUARD = guard_of([OWN, "9.9.9.0/28", "2620:fe::/48"], [PROXY, "8.8.4.4"], [])


def _vet(
    *addresses: str, guard: Guard = GUARD, as_of: datetime | None = None, max_expand: int = 256, **claim: object
) -> list[Signal | Retraction | Skipped]:
    reading = Reading(now=NOW, as_of=as_of, source="a sensor", guard=guard, max_expand=max_expand)
    fields: dict[str, object] = {"observed": NOW, "expires": NOW + DAY, "message": "seen", "others": addresses[1:]}
    made = Claim(7, addresses[0], RiskLevel.LOW, **(fields | claim))  # type: ignore[arg-type]
    vetted = Vetting(reading).vet([made], Block(range(7, 8), [{"a": 1}], 0))
    return [*vetted.claims, *vetted.skipped]


def _ips(*addresses: str, **claim: object) -> list[str]:
    return [one.ip for one in _vet(*addresses, **claim) if not isinstance(one, Skipped)]  # type: ignore[arg-type]


def _reason(*addresses: str, **claim: object) -> tuple[str, str]:
    (skipped,) = _vet(*addresses, **claim)  # type: ignore[arg-type]
    assert isinstance(skipped, Skipped)
    assert skipped.line == 7
    return str(skipped.reason), skipped.detail


@pytest.mark.parametrize(
    ("addresses", "attacker"),
    [
        (("1.2.3.4", "10.0.0.5"), "1.2.3.4"),  # from outside to inside
        (("10.0.0.5", "1.2.3.4"), "1.2.3.4"),  # a host of ours called out
        (("0.0.0.0", "1.2.3.4"), "1.2.3.4"),
        (("1.2.3.4", "5.6.7.8"), "1.2.3.4"),  # a sensor at the edge of the Internet
        (("9.9.9.3", "1.2.3.4"), "1.2.3.4"),  # our own, though global
        (("::ffff:1.2.3.4",), "1.2.3.4"),
        (("2A00:1450:4001:0::1",), "2a00:1450:4001::1"),
        (("1.2.3.4:4711",), "1.2.3.4"),
        (("[2a00:1450::1]:80",), "2a00:1450::1"),
        (('"2a00:1450::1%eth0"',), "2a00:1450::1"),
        (("1.2.3.4/32",), "1.2.3.4"),
        (("2a00:1450::1/128",), "2a00:1450::1"),
    ],
)
def test_the_first_address_that_can_be_signalled_is_the_attacker(addresses: tuple[str, ...], attacker: str) -> None:
    assert _ips(*addresses) == [attacker]


@pytest.mark.parametrize(
    ("addresses", "reason", "says"),
    [
        (("10.0.0.5", "10.0.0.6"), "not_global", "10.0.0.5 is private; 10.0.0.6 is private"),
        (("100.64.3.2",), "not_global", "carrier NAT"),
        (("9.9.9.3",), "own", "own networks"),
        (("2620:fe::fe",), "own", "own networks"),
        (("198.18.7.200",), "own", "own networks"),
        (("8.8.4.4",), "no_address", "no client is named"),
        (("192.168.010.1",), "bad_address", "leading zero"),
        (("host.example",), "bad_address", "host.example"),
        (("1.2.0.0/16",), "network_too_large", "more addresses than the 256"),
        (("2a00:1450::/64",), "network_too_large", "more addresses"),
        (("10.0.0.0/8",), "not_global", "10.0.0.0/8 is private"),
        (("10.1.2.0/28",), "not_global", "10.1.2.0/28: 10.1.2.0 is private"),
    ],
)
def test_what_is_never_signalled_is_skipped_with_the_rule(addresses: tuple[str, ...], reason: str, says: str) -> None:
    told, detail = _reason(*addresses)
    assert told == reason
    assert says in detail


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the leftmost is the client's own word
        ("6.6.6.6, 1.2.3.4, 10.9.9.9, 8.8.4.4", "1.2.3.4"),
        ('for=6.6.6.6, for="[2a00:1450::1]:4711";proto=https;by=8.8.4.4', "2a00:1450::1"),
        ("1.2.3.4:1000", "1.2.3.4"),
    ],
)
def test_behind_our_proxy_the_last_address_that_is_no_proxy_is_the_client(chain: str, client: str) -> None:
    for proxy in (PROXY, "8.8.4.4"):
        assert _ips(proxy, "5.6.7.8", forwarded=chain) == [client]
    assert _ips("7.7.7.7", forwarded=chain) == ["7.7.7.7"], "who is no proxy of ours forwards for nobody"


def test_what_our_proxy_forwards_for_is_no_reason_to_take_the_other_side() -> None:
    assert _reason(PROXY, "5.6.7.8") == ("no_address", f"{PROXY} is one of our proxies, and no client is named")
    assert _reason(PROXY, "5.6.7.8", forwarded="10.1.1.1")[0] == "no_address"
    assert _reason(PROXY, forwarded="unknown, _hidden")[0] == "bad_address"


def test_an_innocent_attacker_does_not_make_the_victim_one(tmp_path: Path) -> None:
    misp = tmp_path / "crawlers.json"
    misp.write_text('{"name":"crawlers","type":"cidr","list":["66.249.64.0/19","2001:4860::/32"],"version":1}')
    lines = tmp_path / "scanners.txt"
    lines.write_text("# ours\n5.6.7.0/24 ; asked first\n")
    guard = guard_of((), (), [str(misp), str(lines)])
    told = _reason("66.249.66.1", "1.2.3.4", guard=guard)
    assert told == ("allow_listed", "66.249.66.1 is in the allow-list 'crawlers'")
    assert _reason("5.6.7.8", guard=guard)[0] == "allow_listed"
    assert _ips("10.0.0.1", "1.2.3.4", guard=guard) == ["1.2.3.4"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"name":"x"}', "no warning list"),
        ('{"name":"x","type":"string","list":[]}', "type string"),
        ("# ours\n5.6.7.0/24\na.b", "list:3: 'a.b'"),
        ('{"name":"x","type":"cidr","list":["5.6.7.0/24","a.b"]}', "list, entry 2: 'a.b'"),
    ],
)
def test_an_allow_list_that_is_none_is_an_error_and_not_an_empty_one(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "list"
    path.write_text(content)
    with pytest.raises(SourceError, match=says):
        guard_of((), (), [str(path)])
    with pytest.raises(SourceError, match="own_networks"):
        guard_of(["10.0.0.0/33"])


def test_a_small_network_is_signalled_address_by_address_without_our_own() -> None:
    assert _ips("1.2.3.0/30") == ["1.2.3.0", "1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert len(_ips("1.2.3.0/24")) == 256
    assert _reason("1.2.3.0/24", max_expand=255)[0] == "network_too_large"
    found = _vet("9.9.9.0/27")
    assert len([one for one in found if isinstance(one, Signal)]) == 16
    assert {one.reason for one in found if isinstance(one, Skipped)} == {SkipReason.OWN}
    assert _ips("2a00:1450::/126") == ["2a00:1450::", "2a00:1450::1", "2a00:1450::2", "2a00:1450::3"]


def test_what_has_ended_or_is_yet_to_come_makes_no_signal() -> None:
    assert _reason("1.2.3.4", expires=NOW)[0] == "expired"
    assert _reason("1.2.3.4", observed=datetime(1970, 1, 1, tzinfo=UTC), expires=NOW + DAY)[0] == "expired"
    assert _reason("1.2.3.4", observed=NOW + timedelta(minutes=6))[0] == "bad_time"
    assert _reason("1.2.3.4", observed=NOW + timedelta(minutes=6), as_of=NOW)[0] == "not_yet"
    assert _ips("1.2.3.4", observed=NOW + timedelta(minutes=4)) == ["1.2.3.4"]


def test_no_claim_holds_for_more_than_90_days() -> None:
    (signal,) = _vet("1.2.3.4", expires=NOW + timedelta(days=9_000))
    assert isinstance(signal, Signal)
    assert signal.expires == NOW + MAX_LIFE


def test_a_claim_that_is_taken_back_lets_its_address_go_however_old_it_is() -> None:
    assert _vet("1.2.3.4:80", retracts=True, expires=NOW - DAY) == [Retraction("1.2.3.4", NOW, "a sensor")]
    assert _reason("10.0.0.1", retracts=True)[0] == "not_global"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("2002:0a00:0001::1", "not_global"),  # 10.0.0.1 by 6to4
        ("2002:c612:0705::1", "own"),  # 198.18.7.5
        ("64:ff9b::10.0.0.1", "not_global"),  # by NAT64
        ("64:ff9b::9.9.9.3", "own"),
        ("2002:808:404::1", "own"),  # a proxy of ours
    ],
)
def test_ours_is_ours_in_another_form_too(address: str, reason: str) -> None:
    assert _reason(address)[0] == reason


def test_another_form_of_someone_elses_address_is_signalled() -> None:
    assert _ips("2002:102:304::1") == ["2002:102:304::1"]
    assert _ips("64:ff9b::1.2.3.4") == ["64:ff9b::102:304"]


def test_a_network_in_a_chain_of_proxies_is_no_client_and_hides_none() -> None:
    reason, detail = _reason(PROXY, forwarded="6.6.6.6, 5.6.7.0/24, 8.8.4.4")
    assert (reason, "5.6.7.0/24 is a network" in detail) == ("bad_address", True)


@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_an_allow_list_is_read_whole_or_not_at_all(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "allowed"
    path.write_bytes(pack(b"1.2.3.4\n" + b"#" * 64 * 1024 * 1024))
    with pytest.raises(SourceError, match="is larger than"):
        guard_of(allow_lists=[str(path)])
    path.write_bytes(pack(b"1.2.3.4\n"))
    assert len(guard_of(allow_lists=[str(path)]).allowed) == 1
