"""JSON values: large documents in parts that hold all of them, and objects behind what has carried them."""

import json

import pytest

from tocsin.sources.framing import json_values
from tocsin.sources.framing.json_values import PART_BYTES, is_carried
from tocsin.sources.framing.unfolding import unfolded

ELEMENTS = [{"number": number, "text": '},{[\\"' + "x" * (number % 50), "more": [{"a": 1}]} for number in range(25_000)]


@pytest.mark.slow
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"meta": {"made": "today"}, "other": [{"a": 1}], "tags": ["x", "y"]}, {}),
        ({"meta": 1}, {"more": True, "links": [{"b": 2}], "next": None}),
    ],
)
def test_a_large_document_is_handed_over_in_parts_that_hold_all_of_it(
    indent: int | None, before: dict[str, object], after: dict[str, object]
) -> None:
    text = json.dumps({**before, "data": ELEMENTS, **after}, indent=indent) + "\n" + json.dumps({"data": [{"last": 1}]})
    content = text.encode()
    assert len(content) > PART_BYTES
    chunks = [content[at : at + 100_000] for at in range(0, len(content), 100_000)]
    blocks = list(json_values(chunks, parts=["data"]))
    assert not [broken for block in blocks for broken in block.broken]
    *parts, last = [record for block in blocks for record in block.records]
    assert last == {"data": [{"last": 1}]}
    assert len(parts) > 3
    assert [element for part in parts for element in part["data"]] == ELEMENTS
    assert all(before.items() <= part.items() for part in parts)
    assert parts[-1].items() >= after.items()
    found = [one for block in unfolded(blocks, [lambda value: value.get("data")], {}) for one in block.records]
    assert found == [*ELEMENTS, {"last": 1}], "and no record is made up of the rest"


@pytest.mark.slow
def test_a_large_document_that_breaks_off_gives_what_there_is() -> None:
    content = json.dumps({"meta": 1, "data": ELEMENTS}).encode()
    blocks = list(json_values([content[:-200_000]], parts=["data"]))
    found = [element for block in blocks for part in block.records for element in part["data"]]
    assert len(found) > 20_000
    assert found == ELEMENTS[: len(found)]
    assert [str(broken.reason) for block in blocks for broken in block.broken] == ["cut_off"]


SYSLOG = b"Jan  5 10:00:00 fw %s: %s\n"
CARRIED = SYSLOG % (b"suricata[1]", b'{"n":1}')
OTHER = SYSLOG % (b"sshd[1]", b"Connection closed by 9.9.9.9 port 1 [preauth]")


def test_what_was_carried_is_read_wherever_reading_begins() -> None:
    """A log that is followed is read from anywhere: its first lines may all be of other programs."""
    (block,) = json_values([OTHER * 30 + CARRIED + OTHER + CARRIED])
    assert (block.records, list(block.numbers), len(block.broken)) == ([{"n": 1}] * 2, [31, 33], 31)


def test_what_stands_before_an_object_is_of_its_own_line() -> None:
    hostile = b'2026-01-05T10:00:00Z h p 1 2 [x\nGET /] {"n":2}\nJan  5 10:00:00 h p\nq: {"n":3}\n'
    (block,) = json_values([CARRIED + hostile])
    assert (block.records, len(block.broken)) == ([{"n": 1}], 4)


def test_lines_that_open_a_bracket_cost_linear_time() -> None:
    """Quadratic would be minutes: the time limit of every test says so."""
    (block,) = json_values([CARRIED + b"Jan  5 10:00:00 h p 1 2 [\n" * 80_000])
    assert (block.records, len(block.broken)) == ([{"n": 1}], 80_000)


@pytest.mark.parametrize(("others", "carried"), [(1, True), (2, False)])
def test_one_object_makes_no_other_log_of_what_is_said_around_it(others: int, *, carried: bool) -> None:
    assert is_carried(CARRIED + OTHER * others) == carried
