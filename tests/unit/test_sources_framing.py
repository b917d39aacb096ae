"""Large documents, in parts that hold all of them."""

import json

import pytest

from tocsin.sources.framing import json_values
from tocsin.sources.framing.json_values import PART_BYTES
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
