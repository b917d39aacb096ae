"""Which addresses are one host on the Internet."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.signals import ip_key
from tocsin.signals.special_addresses import special_use


@pytest.mark.parametrize(
    ("ip", "why"),
    [
        ("0.0.0.0", "of 'this network'"),
        ("9.255.255.255", None),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("11.0.0.0", None),
        ("100.64.0.1", "shared behind carrier NAT"),
        ("100.128.0.0", None),
        ("127.0.0.1", "loopback"),
        ("172.32.0.0", None),
        ("203.0.113.255", "for documentation"),
        ("203.0.114.0", None),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::ffff:10.0.0.1", "private"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", "reserved"),
        ("64:ff9b::808:808", None),
        ("2001:db8::1", "for documentation"),
        ("2001:0:1::1", "for protocol assignments"),
        ("2001:200::1", None),
        ("2a00:1450:4001::1", None),
        ("4000::1", "reserved"),
        ("fd12::1", "private"),
        ("fe80::1", "link-local"),
        ("ff02::1", "multicast"),
    ],
)
def test_what_an_address_is_for(ip: str, why: str | None) -> None:
    assert special_use(ip_key(ip)) == why


@given(st.ip_addresses(v=4))
def test_ipv4_is_as_the_standard_library_has_it_but_for_multicast_and_old_relays(ip: object) -> None:
    address = ip_address(str(ip))
    ours = special_use(ip_key(str(address)))
    if ours not in {"multicast", "a former 6to4 relay", "for protocol assignments"}:
        assert (ours is None) == address.is_global
