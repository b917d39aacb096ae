"""Filters of the System Log: read back as they were, judged like a simpler model, and narrowed without a loss."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.org.log.filters.fields import resolve
from tocsin.org.log.filters.matching import matches
from tocsin.org.log.filters.narrowing import possible_types, wanted_actors
from tocsin.org.log.filters.parser import MOST_CHARS, MOST_DEPTH, BadFilter, parse_filter
from tocsin.org.log.filters.syntax import And, Comparison, Node, Not, Operator, Or, Present, text_of

TYPES = ["user.session.start", "user.session.end", "security.risk.signal.consume"]
PATHS = [
    ("eventType",),
    ("actor", "id"),
    ("outcome", "reason"),
    ("target", "id"),
    ("debugContext", "debugData", "riskSignalSize"),
    ("debugContext", "debugData", "threatSuspected"),
    ("authenticationContext", "authenticationStep"),
]
texts = st.sampled_from([*TYPES, "user", "a", "b", "true", "20", "5", ""]) | st.text(max_size=5)
values = texts | st.booleans() | st.integers(-30, 30) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.builds(Comparison, st.sampled_from(PATHS), st.sampled_from(Operator), values) | st.builds(
    Present, st.sampled_from(PATHS)
)


def _deeper(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, nodes) | st.builds(And, several) | st.builds(Or, several)


nodes: st.SearchStrategy[Node] = st.recursive(leaves, _deeper, max_leaves=8)
events: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "eventType": st.sampled_from(TYPES),
        "actor": st.fixed_dictionaries({"id": texts}),
        "outcome": st.fixed_dictionaries({"reason": st.none() | texts}),
        "target": st.none() | st.lists(st.fixed_dictionaries({"id": texts}), max_size=3),
        "debugContext": st.fixed_dictionaries(
            {
                "debugData": st.fixed_dictionaries(
                    {}, optional={"riskSignalSize": texts, "threatSuspected": st.sampled_from(["true", "false"])}
                )
            }
        ),
        "authenticationContext": st.fixed_dictionaries({"authenticationStep": st.integers(0, 2)}),
    }
)


@given(nodes)
def test_a_filter_is_read_back_as_it_was(node: Node) -> None:
    assert parse_filter(text_of(node)) == node


@given(nodes, events)
def test_an_event_is_judged_like_a_simpler_model_does(node: Node, event: dict[str, Any]) -> None:
    assert matches(node, event) == model(node, event)


@given(nodes, events)
def test_what_narrowing_leaves_out_never_meets_the_filter(node: Node, event: dict[str, Any]) -> None:
    actors = wanted_actors(node)
    left_in = event["eventType"] in possible_types(node, TYPES) and (actors is None or event["actor"]["id"] in actors)
    if matches(node, event):
        assert left_in


pieces = st.sampled_from([*'()"\\.,[]{}-+eE0159 \t\nß', "and ", "or ", "not ", "uuid ", "eq ", "pr ", '"x" ', "true "])


@pytest.mark.parametrize(
    ("text", "actors"),
    [
        ('actor.id eq "a"', {"a"}),
        ('actor.id eq "a" or actor.id eq "b"', {"a", "b"}),
        ('actor.id eq "a" or uuid pr', None),
        ('actor.id eq "a" and uuid pr', {"a"}),
        ('actor.id eq "a" and actor.id eq "b"', set()),
        ('not actor.id eq "a"', None),
        ('actor.id sw "a"', None),
        ("actor.id eq 1", None),
    ],
)
def test_which_actors_are_wanted(text: str, actors: set[str] | None) -> None:
    assert wanted_actors(parse_filter(text)) == actors


@given(st.lists(pieces).map("".join))
def test_whatever_is_sent_is_a_filter_or_told_why_not(text: str) -> None:
    try:
        node = parse_filter(text)
    except BadFilter:
        return
    assert parse_filter(text_of(node)) == node


@given(nodes, st.data())
def test_a_filter_with_a_mistake_never_breaks_the_parser(node: Node, data: st.DataObject) -> None:
    text = text_of(node)
    start = data.draw(st.integers(0, len(text)))
    cut = text[:start] + data.draw(st.text(max_size=3)) + text[start + data.draw(st.integers(0, 5)) :]
    try:
        parse_filter(cut)
    except BadFilter as error:
        assert str(error)


def test_depth_and_length_are_bounded() -> None:
    for depth in (MOST_DEPTH + 1, 4000):
        with pytest.raises(BadFilter, match="parentheses"):
            parse_filter("(" * depth + "uuid pr" + ")" * depth)
    assert parse_filter("(" * MOST_DEPTH + "uuid pr" + ")" * MOST_DEPTH) == Present(("uuid",))
    with pytest.raises(BadFilter, match="longer"):
        parse_filter(" or ".join(["uuid pr"] * MOST_CHARS))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "End of input at position 0 but expected an attribute"),
        ("uuid", "End of input at position 4 but expected an attribute operator"),
        ("uuid eq", "End of input at position 7 but expected a value"),
        ("uuid eq x", "Unexpected character 'x' at position 8. Expected: a value"),
        ('uuid eq "x', "Unexpected character '\"' at position 8. Expected: a value"),
        ('uuid eq "x"y', "Unexpected character 'y' at position 11. Expected: a blank"),
        ("uuid eq 01", "Unexpected character '0' at position 8. Expected: a value"),
        ("uuid eq 1e999", "Unexpected character '1' at position 8. Expected: a value"),
        ("(uuid pr", "End of input at position 8 but expected ')'"),
        ("uuid pr)", "Unexpected character ')' at position 7. Expected: 'and' or 'or'"),
        ("uuid pr or", "End of input at position 10 but expected an attribute"),
        ('target[id eq "x"]', "Unexpected character 't' at position 0. Expected: an attribute"),
        ("a..b pr", "Unexpected character 'a' at position 0. Expected: an attribute"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, why: str) -> None:
    with pytest.raises(BadFilter) as caught:
        parse_filter(text)
    assert str(caught.value).startswith(f"Invalid filter '{text}': {why}")


def test_not_twice_needs_parentheses() -> None:
    with pytest.raises(BadFilter, match="field is not valid: not"):
        parse_filter("not not uuid pr")
    assert parse_filter("not (not uuid pr)") == Not(Not(Present(("uuid",))))


def test_and_binds_closer_than_or_and_blanks_and_case_do_not_matter() -> None:
    a, b, c = (Comparison(("uuid",), Operator.EQ, name) for name in "abc")
    assert parse_filter('uuid eq "a" or uuid eq "b" and uuid eq "c"') == Or((a, And((b, c))))
    assert parse_filter(' ( uuid EQ "a"\tOR uuid eq  "b")AND Not(uuid Eq "c") ') == And((Or((a, b)), Not(c)))


@pytest.mark.parametrize(
    ("spelt", "path"),
    [
        ("event_type", "eventType"),
        ("eventType", "eventType"),
        ("EventType", None),
        ("client.user_agent.raw_user_agent", "client.userAgent.rawUserAgent"),
        ("debug_context.debug_data.any_thing", "debugContext.debugData.any_thing"),
        ("target.detailEntry.policyType", "target.detailEntry.policyType"),
        ("actor.name", None),
        ("uuid.x", None),
        ("published", None),
        ("target.changeDetails", None),
    ],
)
def test_which_names_are_known(spelt: str, path: str | None) -> None:
    assert resolve(tuple(spelt.split("."))) == (None if path is None else tuple(path.split(".")))


def test_free_names_are_found_in_either_spelling() -> None:
    event = {"debugContext": {"debugData": {"riskSignalSize": "20", "snake_case": "x"}}}
    for text in ("risk_signal_size eq 20", "riskSignalSize ge 20", 'snake_case eq "x"', "riskSignalSize lt 100"):
        assert matches(parse_filter(f"debugContext.debugData.{text}"), event), text
    with pytest.raises(BadFilter, match="Operator: co"):
        parse_filter('debug_context.debug_data.request_uri co "x"')


def test_two_targets_may_each_meet_a_half() -> None:
    event = {"target": [{"id": "A"}, {"id": "B"}]}
    assert matches(parse_filter('target.id eq "A" and target.id eq "B"'), event)
    assert not matches(parse_filter('target.id ne "A"'), event)


def model(node: Node, event: dict[str, Any]) -> bool:
    """The rules once more, by all paths and their values laid out flat."""
    flat: list[tuple[tuple[str, ...], object]] = []

    def lay_out(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, dict):
            for name in value:
                lay_out((*path, name), value[name])
        elif isinstance(value, list):
            for item in value:
                lay_out(path, item)
        else:
            flat.append((path, value))

    lay_out((), event)
    return _model(node, flat)


def _model(node: Node, flat: list[tuple[tuple[str, ...], object]]) -> bool:
    if isinstance(node, Not):
        return not _model(node.node, flat)
    if isinstance(node, And | Or):
        each = [_model(inner, flat) for inner in node.nodes]
        return all(each) if isinstance(node, And) else any(each)
    found = [value for path, value in flat if path == node.path and value is not None]
    if isinstance(node, Present):
        return bool(found)
    if node.operator is Operator.NE:
        return not _model(Comparison(node.path, Operator.EQ, node.value), flat)
    return any(_compares(node.operator, each, node.value) for each in found)


def _compares(operator: Operator, found: Any, value: Any) -> bool:
    printed = found if isinstance(found, str) else json.dumps(found)
    wanted = value if isinstance(value, str) else json.dumps(value)
    if operator in (Operator.CO, Operator.SW, Operator.EW):
        at = printed.find(wanted) if operator is Operator.CO else -1
        return (
            at >= 0
            or {
                Operator.CO: False,
                Operator.SW: printed[: len(wanted)] == wanted,
                Operator.EW: wanted == "" or printed[-len(wanted) :] == wanted,
            }[operator]
        )
    left: Any
    right: Any
    if isinstance(value, str | bool):
        left, right = printed, wanted
        if isinstance(value, bool) and left not in ("true", "false"):
            return False
    else:
        try:
            left, right = float(printed), float(value)
        except ValueError:
            return False
    order = (left > right) - (left < right)
    return bool(
        {"eq": order == 0, "gt": order > 0, "ge": order >= 0, "lt": order < 0, "le": order <= 0}[operator.value]
    )
