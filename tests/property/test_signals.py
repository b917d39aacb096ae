"""Promises of the signals room, for all values."""

import ipaddress
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.signals import (
    InvalidSignals,
    decode_events,
    encode_events,
    event_problems,
    format_timestamp,
    ip_key,
    ip_text,
    parse_timestamp,
)

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
offsets = st.sampled_from(["Z", "+00:00", "-06:00", "+23:59", "-23:59", "", "+0000"])
moments = st.datetimes().map(datetime.isoformat)
timestamps = st.builds(str.__add__, moments, offsets)
odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", [], {}, 0, -1, 1e308, True, "HIGH", "x", "1.2.3.4", "::1%lo", "a,b", "é"]
)


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(good, good, good, odd)


subjects = st.fixed_dictionaries(
    {"ip": mostly(addresses.map(str)), "riskLevel": mostly(st.sampled_from(["HIGH", "MEDIUM", "LOW"]))},
    optional={"message": mostly(st.text("abc XYZ.-_019", max_size=20)), "extra": odd},
)
events = st.fixed_dictionaries(
    {"subjects": mostly(st.lists(mostly(subjects), min_size=1, max_size=3))},
    optional={"timestamp": mostly(timestamps), "expiresAt": mostly(timestamps)},
)
bodies = mostly(st.lists(mostly(events), min_size=1, max_size=3))


@given(bodies)
@example([{"subjects": [{"ip": "1.2.3.4", "riskLevel": "HIGH"}], "timestamp": "0001-01-01T00:00:00+23:59"}])
@example([{"subjects": [{"ip": "1.2.3.4", "riskLevel": "HIGH"}], "timestamp": "9999-12-31T23:59:59.999999Z"}])
@example([{"subjects": [{"ip": "1.2.3.4", "riskLevel": "HIGH"}], "expiresAt": "9999-12-31T23:59:59-00:01"}])
def test_the_fast_yes_and_the_slow_explanation_agree(value: object) -> None:
    try:
        decode_events(msgspec.json.encode(value))
    except InvalidSignals as refused:
        assert refused.problems == event_problems(value)
        assert refused.problems
    else:
        assert event_problems(value) == []


@given(bodies)
def test_what_was_read_reads_the_same_after_it_was_written(value: object) -> None:
    try:
        read = decode_events(msgspec.json.encode(value))
    except InvalidSignals:
        return
    written = encode_events(read)
    assert encode_events(decode_events(written)) == written


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_fail_in_another_way(body: bytes) -> None:
    try:
        decode_events(body)
    except InvalidSignals as refused:
        assert str(refused)


@given(addresses)
def test_keys_agree_with_the_standard_library(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else address
    expected = b"\x00" * 10 + b"\xff\xff" + mapped.packed if mapped else address.packed
    assert ip_key(str(address)) == expected
    assert ipaddress.ip_address(ip_text(expected)) == (mapped or address)
    assert ip_key(ip_text(expected)) == expected


@given(st.text(max_size=30))
def test_only_what_the_standard_library_reads_is_an_address(text: str) -> None:
    try:
        key = ip_key(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert ip_text(key) == str(ipaddress.ip_address(ip_text(key)))
        assert ipaddress.ip_address(text)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001, given a zone below
def test_a_written_time_reads_back_within_its_millisecond(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    back = parse_timestamp(format_timestamp(moment))
    assert 0 <= (moment - back).total_seconds() < 0.001
