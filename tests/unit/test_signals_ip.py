"""IP addresses as keys: what is one address, what is refused, and why."""

import pytest

from tocsin.signals import canonical_ip, ip_key, ip_text


def test_an_ipv4_address_and_its_mapped_form_are_one_address() -> None:
    assert ip_key("203.0.113.9") == ip_key("::ffff:203.0.113.9") == bytes(10) + b"\xff\xff\xcb\x00\x71\x09"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::", "::"),
        ("::1.2.3.4", "::1.2.3.4"),
    ],
)
def test_text_comes_back_canonical(written: str, canonical: str) -> None:
    assert canonical_ip(written) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.300", "'10.0.0.300' is not an IPv4 or IPv6 address"),
        ("", "is empty: an IPv4 or IPv6 address is needed"),
        (" 10.0.0.3", "holds white space"),
        ("10.0.0.3\n", "holds white space"),
        ("10.0.0.0/8", "is a network, not one IPv4 or IPv6 address"),
        ("10.0.0.3/32", "is a network"),
        ("fe80::1%eth0", "zone id"),
        ("10.0.0.3:22", "port"),
        ("[2001:db8::1]:22", "port or brackets"),
        ("[2001:db8::1]", "port or brackets"),
        ("010.0.0.3", "leading zero"),
        ("1.2.3", "is not an IPv4 or IPv6 address"),
        ("a\x00b", "is not an IPv4 or IPv6 address"),
        ("\ud800", "is not an IPv4 or IPv6 address"),
        ("١.2.3.4", "is not an IPv4 or IPv6 address"),
        ("9" * 500, "..."),
    ],
)
def test_what_is_not_one_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{0,200}$") as caught:
        ip_key(text)
    assert reason in str(caught.value)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 4"):
        ip_text(b"\xcb\x00\x71\x09")


def test_only_the_start_of_a_text_longer_than_any_address_is_read() -> None:
    with pytest.raises(ValueError, match=r"is not an IPv4 or IPv6 address$"):
        ip_key("1" * 1000 + "/8 ")


def test_the_longest_way_to_write_an_address_is_taken() -> None:
    assert canonical_ip("0000:0000:0000:0000:0000:ffff:255.255.255.255") == "255.255.255.255"
