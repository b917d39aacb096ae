"""Promises of the sources room for all inputs, each against a second, simpler model."""

import json
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import jmespath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from tocsin.signals import RiskLevel, Signal, ip_key, limits
from tocsin.signals.special_addresses import special_use
from tocsin.sources import Reading, guard_of
from tocsin.sources.framing import json_values, lines
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.mapping.paths import compile_path, compile_paths, compile_test
from tocsin.sources.mapping.times import in_latest_year
from tocsin.sources.readers.cef import cef_values
from tocsin.sources.readers.window_counts import Step, WindowCounts
from tocsin.sources.reading import Block, Claim
from tocsin.sources.vetting import Vetting

NOW = datetime(2026, 8, 22, 9, 0, tzinfo=UTC)
GUARD = guard_of(["9.9.9.0/25", "2620:fe::/48"], ["8.8.4.4"], [])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=4), min_size=1, max_size=8)


def _chunks(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(st.text(), st.integers(0, 40))
@example("a " * 400, 0)
@example("ß" * 600, 0)
def test_a_message_is_legal_and_not_empty_whatever_it_says(text: str, times: int) -> None:
    message = legal_message(text * times)
    assert re.fullmatch(limits.MESSAGE_ALLOWED, message)
    assert 0 < len(message) <= limits.MESSAGE_CHARS
    assert message == " ".join(message.split())
    assert legal_message(message) == message, "what is legal stays as it is"


@pytest.mark.slow
@given(
    OBJECTS,
    st.sampled_from([3, 17, 100, 400]),
    st.sampled_from([None, 1]),
    st.sampled_from(["array", "lines", "documents"]),
)
def test_json_is_cut_into_its_values_wherever_the_chunks_end(
    values: list[object], size: int, indent: int | None, form: str
) -> None:
    if form == "array":
        text = json.dumps(values, indent=indent)
    else:
        text = "\n".join(json.dumps(value, indent=indent if form == "documents" else None) for value in values)
    blocks = list(json_values(_chunks(text.encode(), size)))
    assert [record for block in blocks for record in block.records] == values
    assert not [broken for block in blocks for broken in block.broken]


@pytest.mark.slow
@given(OBJECTS, st.sampled_from([3, 17, 100, 400]), st.data())
def test_json_that_is_cut_off_gives_its_first_values_and_says_so(
    values: list[object], size: int, data: st.DataObject
) -> None:
    text = json.dumps(values).encode()
    cut = data.draw(st.integers(1, len(text) - 2))
    blocks = list(json_values(_chunks(text[:cut], size)))
    found = [record for block in blocks for record in block.records]
    assert found == values[: len(found)]
    assert len(found) >= len(values[:1]) - 1


@given(st.lists(st.text(st.characters(exclude_characters="\r\n")), max_size=20), st.integers(1, 50), st.booleans())
def test_lines_are_the_lines_wherever_the_chunks_end(texts: list[str], size: int, ends: bool) -> None:
    content = "\n".join(texts) + ("\n" if ends and texts else "")
    expected = content.split("\n")
    if not expected[-1]:
        expected.pop()
    blocks = list(lines(_chunks(content.encode(errors="replace"), size)))
    assert [text for block in blocks for text in block.records] == [
        text.encode(errors="replace").decode() for text in expected
    ]
    assert [number for block in blocks for number in block.numbers] == list(range(1, len(expected) + 1))


PATHS = st.sampled_from(
    """
    a
    a.b
    a.b.c
    a || b
    a && b
    !a
    a == 'x'
    a != 'x'
    a == `1`
    a.b == `true`
    a == b
    @
    a[0].b
    a[].b
    b."a"
    a == 'x' || b == 'y'
    (a || b).c
    !a && b
    a == `null`
    keys(@)
    contains(a, 'x')
    a > `1`
    a.b || `[]`
    not_null(a, b)
    a[?b == 'x'].c | [0]
    a[].b[]
    a[-1]
    b[0][1]
    a[*].b.c
    (a || b)[].c
    starts_with(a, 'x')
    starts_with(a, b)
    contains(a, b)
    contains(a || b, 'y')
    a.contains(b, c)
    a.not_null(b, `1`)
    a | b
    a | (b || @) | c
    a == `0`
    a == `1.0` || b != `true`
    !(a && b) || c
    (a == 'x' && b) || !c
    a && b && c
    a[?b && c].a
    a[?b].a[].b
    @[0].a.b[-1]
    """.strip().splitlines()
).map(str.strip)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x", "y", 0.0, 1.0]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(PATHS, NESTED)
@example("!a && b", {"a": 0.0, "b": "x"})
@example("a || b", {"a": 0, "b": "x"})
@example("a == `1`", {"a": True})
@example("contains(a, b)", {"a": "", "b": None})
def test_a_compiled_path_finds_what_jmespath_finds(path: str, record: object) -> None:
    try:
        expected = jmespath.search(path, record)
    except (JMESPathError, TypeError):
        expected = None
    found = compile_path(path)(record)
    # Neither Python nor pytest tells 1 from True.
    assert (found, type(found)) == (expected, type(expected))
    assert compile_paths([path, path, "@"])(record) == (expected, expected, record)
    truth = expected is not None and expected is not False and expected not in ("", [], {})
    assert bool(compile_test(path)(record)) == (truth or (expected == 0 and expected is not False))


CEF_VALUES = st.text("ab=. \t\\|:ß", max_size=8).map(str.strip)


@given(st.dictionaries(st.sampled_from(["src", "dst", "rt", "cs1", "cs1Label", "a.b-c_d"]), CEF_VALUES))
def test_the_values_of_a_cef_event_are_found_whatever_stands_in_them(values: dict[str, str]) -> None:
    escaped = {key: value.replace("\\", r"\\").replace("=", r"\=") for key, value in values.items()}
    extension = " ".join(f"{key}={value}" for key, value in escaped.items())
    assert {key: value.strip() for key, value in cef_values(extension).items()} == escaped


ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["10.1.2.3", "9.9.9.9", "9.9.9.200", "8.8.4.4", "2620:fe::9"]),
    st.sampled_from(["::ffff:1.2.3.4", "1.2.3.4 ", "1.2.3", "1.2.3.04", "2A00::1", "1.2.3.4%x"]),
)


@given(ADDRESSES, st.booleans())
def test_the_quick_yes_says_what_the_whole_explanation_says(address: str, allow: bool) -> None:
    reading = Reading(now=NOW, source="x", guard=GUARD, allow_non_global=allow)
    vetting = Vetting(reading)
    claim = Claim(1, address, RiskLevel.HIGH, NOW, NOW + timedelta(days=1), "m")
    quick = vetting.vet([claim], Block(range(1, 2), ["x"], 0))
    explained = vetting.verdicts(claim)
    assert [one.ip for one in quick.claims if isinstance(one, Signal)] == [v.ip for v in explained if v.reason is None]
    assert [one.reason for one in quick.skipped] == [v.reason for v in explained if v.reason is not None]


@given(st.ip_addresses(), st.booleans())
def test_no_address_of_ours_and_none_that_is_special_is_ever_signalled(ip: object, own: bool) -> None:
    address = "9.9.9.77" if own else str(ip)
    vetting = Vetting(Reading(now=NOW, source="x", guard=GUARD))
    claim = Claim(1, address, RiskLevel.HIGH, NOW, NOW + timedelta(days=1), "m")
    for one in vetting.vet([claim], Block(range(1, 2), ["x"], 0)).claims:
        assert special_use(ip_key(one.ip)) is None
        assert one.ip not in ("9.9.9.77", "8.8.4.4")
        assert not str(ip_address(one.ip)).startswith("2620:fe:0:")


LEAP_YEAR = st.datetimes(*(datetime(1904, *day) for day in ((1, 1), (12, 31))))  # noqa: DTZ001 - that is the point


@given(LEAP_YEAR, st.integers(0, 90 * 365 * 24))
def test_a_time_without_a_year_lies_within_the_last_year_or_leap_years(moment: datetime, hours: int) -> None:
    now = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    found = in_latest_year(moment, now)
    assert (found.month, found.day, found.hour) == (moment.month, moment.day, moment.hour)
    assert found <= now + timedelta(days=1)
    if (moment.month, moment.day) != (2, 29):
        assert found > now - timedelta(days=366)


STEPS = (Step(3, RiskLevel.LOW, 500.0), Step(10, RiskLevel.MEDIUM, 500.0), Step(30, RiskLevel.HIGH, 900.0))
WINDOW_S = 100.0
GAPS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 60), st.integers(0, 6)), max_size=80)


@given(GAPS)
def test_a_level_is_said_when_a_window_that_an_event_opens_holds_so_many(events: list[tuple[str, float, int]]) -> None:
    counts, now = WindowCounts(WINDOW_S, STEPS), 0.0
    seen: dict[str, list[tuple[float, int]]] = {}
    held: dict[str, tuple[int, float]] = {}
    for key, gap, weight in events:
        now += gap
        seen.setdefault(key, []).append((now, weight))
        reached = counts.add(key, now, weight)
        # The model: cut all events of the address into windows again, and count those of the last.
        opened, total, before = seen[key][0][0], 0, 0
        for at, one in seen[key]:
            if at - opened >= WINDOW_S:
                opened, total = at, 0
            before, total = total, total + one
        ranks = [sum(count >= step.least for step in STEPS) - 1 for count in (before, total)]
        rank, until = held.get(key, (-1, 0.0))
        said = ranks[1] > ranks[0] and (ranks[1] >= rank or now >= until)
        if said:
            held[key] = (ranks[1], now + STEPS[ranks[1]].holds_s)
        assert (reached is not None) == said
        if reached is not None:
            assert (reached.step, reached.events) == (STEPS[ranks[1]], total)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 60)), max_size=60))
def test_counted_by_network_too_no_less_is_said_of_anybody(events: list[tuple[int, float]]) -> None:
    alone, together, lonely = (WindowCounts(WINDOW_S, STEPS) for _ in range(3))
    best, now = {False: dict[int, int](), True: dict[int, int]()}, 0.0
    for number, gap in events:
        now += gap
        own = alone.add(str(number), now)
        for by_network, reached in ((False, own), (True, together.add(str(number), now, network="all"))):
            rank = -1 if reached is None else STEPS.index(reached.step)
            best[by_network][number] = max(rank, best[by_network].get(number, -1))
        assert best[True][number] >= best[False][number]
        assert lonely.add(str(number), now, network=f"of {number}") == own, "alone in it, the network is the address"


@given(st.lists(st.floats(0, 30), min_size=1, max_size=120))
def test_nobody_who_does_it_twice_as_often_as_a_step_says_goes_unseen(gaps: list[float]) -> None:
    counts, now, times, best = WindowCounts(WINDOW_S, STEPS), 0.0, list[float](), -1
    for gap in gaps:
        now += gap
        times.append(now)
        reached = counts.add("x", now)
        if reached is not None:
            best = max(best, STEPS.index(reached.step))
    most = max(sum(start <= at < start + WINDOW_S for at in times) for start in times)
    certain = max((rank for rank, step in enumerate(STEPS) if most >= 2 * step.least - 1), default=-1)
    possible = sum(most >= step.least for step in STEPS) - 1
    assert certain <= best <= possible


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 50)), max_size=200))
def test_no_more_addresses_are_remembered_than_may_be(events: list[tuple[int, float]]) -> None:
    counts, now = WindowCounts(WINDOW_S, STEPS, most_kinds=3, most_keys=8), 0.0
    for key, gap in events:
        now += gap
        counts.add(str(key), now, kind=str(gap))
        assert len(counts) <= 8
