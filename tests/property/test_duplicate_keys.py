"""A JSON object that names a member twice is never taken, in whatever way the name is written."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tocsin.signals import InvalidSignals, decode_events, event_problems
from tocsin.signals.duplicate_keys import has_duplicate_keys

NAMES = ["ip", "riskLevel", "message", "subjects", "timestamp", "expiresAt", "other", "d\u00e9j\u00e0"]


def written(name: str, *, escaped: bool) -> str:
    """`name` as JSON, or the same with its first letter as an escape."""
    return f'"\\u{ord(name[0]):04x}{name[1:]}"' if escaped else json.dumps(name, ensure_ascii=False)


@st.composite
def objects(draw: st.DrawFn, required: dict[str, str]) -> tuple[str, bool]:
    """The text of an object with `required` members and some more; and whether it names one twice."""
    members = list(required.items())
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3)):
        values = {"message": '"a"', "timestamp": '"2026-01-01T00:00:00Z"', "expiresAt": "null"} | required
        members.append((name, values.get(name, draw(st.sampled_from(["1", '"ip"', "[]", "{}", "1e40"])))))
    shuffled = draw(st.permutations(members))
    names = [name for name, _ in shuffled]
    blank = draw(st.sampled_from(["", " ", "\n"]))
    texts = [f"{written(name, escaped=draw(st.booleans()))}{blank}:{value}" for name, value in shuffled]
    return "{" + ",".join(texts) + "}", len(set(names)) < len(names)


subjects = objects({"ip": '"203.0.113.9"', "riskLevel": '"HIGH"'})


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bool]:
    found = draw(st.lists(subjects, min_size=1, max_size=3))
    event, twice = draw(objects({"subjects": "[" + ",".join(text for text, _ in found) + "]"}))
    return f"[{event}]".encode(), twice or any(two for _, two in found)


@given(bodies())
def test_risk_events_are_taken_when_they_keep_the_rules_and_name_nothing_twice(case: tuple[bytes, bool]) -> None:
    body, twice = case
    right = not twice and event_problems(json.loads(body)) == []
    assert has_duplicate_keys(body) is twice
    try:
        decode_events(body)
    except InvalidSignals:
        assert not right
    else:
        assert right


def test_what_is_no_json_is_not_its_matter() -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"a":1,"a":', b"\xef\xbb\xbf{}"):
        assert not has_duplicate_keys(body)


def test_numbers_of_thousands_of_digits_cost_nothing() -> None:
    assert has_duplicate_keys(b'{"a":' + b"9" * 100_000 + b',"a":1e' + b"9" * 100_000 + b"}")
