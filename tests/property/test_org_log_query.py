"""Parameters of the System Log: whatever is sent is a query or a refusal, and what links say is what was asked."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.org.http.log_errors import LogRefusal
from tocsin.org.http.log_query import read_query
from tocsin.org.log.query import BadCursor, Cursor, Order, Position

NOW_MS = 1_770_110_142_318
numbers = st.integers(-(2**63), 2**63 - 1)
positions = st.builds(Position, numbers, numbers)
names = st.sampled_from(["since", "until", "after", "filter", "q", "limit", "sortOrder"])
dates = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
values = st.text(max_size=50) | dates | st.sampled_from(["", "0", "1000", "uuid pr", "ASCENDING", "DESCENDING"])


@given(st.dictionaries(names, values))
def test_whatever_is_asked_is_a_query_or_refused(parameters: dict[str, str]) -> None:
    try:
        query = read_query(parameters, now_ms=NOW_MS)
    except LogRefusal as refusal:
        assert refusal.status == 400
        assert refusal.body().startswith(b'{"errorCode":"E00000')
        return
    assert 0 <= query.limit <= 1000
    assert all(-(2**63) <= ms < 2**63 for ms in (query.since_ms, query.until_ms))


@given(st.binary(max_size=60))
def test_a_query_string_of_any_bytes_can_be_linked_to(raw: bytes) -> None:
    given_back = parse_qsl(urlencode(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)), keep_blank_values=True)
    assert given_back == parse_qsl(raw.decode("latin-1"), keep_blank_values=True)


@given(st.sampled_from(Order), positions)
def test_a_cursor_is_read_back_and_by_no_other_order(order: Order, position: Position) -> None:
    text = Cursor(order, position).text()
    assert Cursor.read(text, order).position == position
    for other in set(Order) - {order}:
        with pytest.raises(BadCursor):
            Cursor.read(text, other)


@given(st.sampled_from(Order), st.text(max_size=40) | st.binary(max_size=30).map(lambda raw: raw.hex()))
def test_what_is_no_cursor_is_told_so(order: Order, text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.read(text, order)


@given(st.sampled_from(Order), positions, st.data())
def test_a_cursor_that_was_changed_is_none(order: Order, position: Position, data: st.DataObject) -> None:
    text = Cursor(order, position).text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCabc019-_").filter(lambda char: char != text[at]))
    with pytest.raises(BadCursor):
        Cursor.read(text[:at] + other + text[at + 1 :], order)
