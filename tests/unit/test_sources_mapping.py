"""Mapping files: what they may say, what is wrong with one, and what they make of a record."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from tocsin.cli.main import app
from tocsin.errors import TocsinError
from tocsin.signals import RiskLevel, Signal, Skipped
from tocsin.sources import Reading, SourceError, mapping_format, read_source
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.mapping.stix_patterns import addresses_of
from tocsin.sources.mapping.times import compile_time, span

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINIMAL = """
profile: mine
ip: {paths: [ip]}
level: {always: LOW}
message: seen
"""


def _signals(folder: Path, mapping: str, content: str, **reading: object) -> list[Signal]:
    return [one for one in _found(folder, mapping, content, **reading) if isinstance(one, Signal)]


def _found(folder: Path, mapping: str, content: str, **reading: object) -> list[object]:
    (folder / "mine.yaml").write_text(mapping)
    (folder / "input").write_text(content)
    how = Reading(now=NOW, source="x", **reading)  # type: ignore[arg-type]
    return list(read_source(str(folder / "input"), how, form=mapping_format(folder / "mine.yaml")))


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("profile: mine\nip: {paths: [a]}\nlevel: {always: LOW}\nmessage: x\nwhenn: a\n", "whenn"),
        ("profile: mine\nip: {paths: []}\nlevel: {always: LOW}\nmessage: x\n", "length >= 1"),
        ("profile: mine\nip: {paths: [a]}\nlevel: {always: SEVERE}\nmessage: x\n", "SEVERE"),
        ("profile: mine\nip: {paths: [a]}\nlevel: {always: LOW}\n", "message"),
        ("profile: My Own\n" + MINIMAL.partition("\n\n")[2].replace("\nprofile: mine", ""), "profile"),
        (MINIMAL.replace("[ip]", "['a..b']"), "a..b"),
        (MINIMAL.replace("[ip]", "['a.*.b.c']"), "only one step"),
        (MINIMAL + "when: 'a =='\n", "not JMESPath"),
        (MINIMAL + f"when: '{'(a || !' * 250}b{')' * 250}'\n", "nested too deeply"),
        (MINIMAL.replace("[ip]", f"['{'(a || ' * 250}b{')' * 250}']"), "nested too deeply"),
        (MINIMAL.replace("seen", "seen {who}"), "who"),
        (MINIMAL + "timestamp: {paths: [t], formats: [stardate]}\n", "stardate"),
        (MINIMAL + "reader: {format: lines, pattern: '(?P<ip'}\n", "no regular expression"),
        ("profile: [\n", "not YAML"),
        ("- a\n", "expected"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_named_before_anything_is_read(tmp_path: Path, mapping: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        _found(tmp_path, mapping, "{}")
    assert says in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("mapping", "hint"),
    [
        (MINIMAL.replace("always: LOW", "always: SEVERE"), "a level is HIGH, MEDIUM, LOW or none"),
        (MINIMAL + "expires: {after: 1 day}\n", "90m, 24h or 7d"),
        (MINIMAL + "whenn: a\n", "did you mean when?"),
    ],
)
def test_the_hint_says_how_it_is_written(tmp_path: Path, mapping: str, hint: str) -> None:
    with pytest.raises(SourceError) as caught:
        _found(tmp_path, mapping, "{}")
    assert hint in str(caught.value.hint)


def test_a_mapping_is_toml_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('profile = "mine"\nmessage = "seen"\n[ip]\npaths = ["ip"]\n[level]\nalways = "LOW"\n')
    assert mapping_format(path).name == "mine"
    path.write_text("profile: mine\n")
    with pytest.raises(SourceError, match="not TOML"):
        mapping_format(path)
    with pytest.raises(SourceError, match="No such file"):
        mapping_format(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("score", "level"),
    [
        ("90", "HIGH"),
        ("89.5", "MEDIUM"),
        ('"90"', "HIGH"),
        ("50.0", "MEDIUM"),
        ("1", "below_bands"),
        ('"x"', "no_level"),
    ],
)
def test_bands_take_numbers_in_any_writing(tmp_path: Path, score: str, level: str) -> None:
    bands = "level: {path: s, bands: [{min: 50, level: MEDIUM}, {min: 90, level: HIGH}]}"
    (one,) = _found(tmp_path, MINIMAL.replace("level: {always: LOW}", bands), f'{{"ip":"1.2.3.4","s":{score}}}\n')
    assert (one.level if isinstance(one, Signal) else one.reason) == level  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "level"),
    [("1", "HIGH"), ('"1"', "HIGH"), ("1.0", "HIGH"), ('"Bad"', "LOW"), ("true", "MEDIUM"), ("2", None)],
)
def test_a_table_has_one_row_for_all_writings_of_a_value(tmp_path: Path, value: str, level: str | None) -> None:
    table = 'level: {path: v, table: {1: HIGH, bad: LOW, "true": MEDIUM, 2: none}}'
    (one,) = _found(tmp_path, MINIMAL.replace("level: {always: LOW}", table), f'{{"ip":"1.2.3.4","v":{value}}}\n')
    assert (one.level if isinstance(one, Signal) else None) == level


def test_the_configuration_overrides_the_table_and_the_life(tmp_path: Path) -> None:
    mapping = MINIMAL.replace("level: {always: LOW}", "level: {path: v, table: {1: HIGH}}")
    levels = {"1": RiskLevel.LOW}
    (signal,) = _signals(tmp_path, mapping, '{"ip":"1.2.3.4","v":1}', levels=levels, life=timedelta(hours=2))
    assert (signal.level, signal.expires - signal.observed) == (RiskLevel.LOW, timedelta(hours=2))
    (signal,) = _signals(tmp_path, mapping, '{"ip":"1.2.3.4"}', levels={"*": RiskLevel.MEDIUM})
    assert signal.level is RiskLevel.MEDIUM


def test_a_condition_may_name_a_thousand_values(tmp_path: Path) -> None:
    when = " || ".join(f'kind == "{number}"' for number in range(1000)).replace('"', "`")
    records = [f'{{"ip":"1.2.3.4","kind":{kind}}}' for kind in (0, 999, 1000)]
    found = _found(tmp_path, MINIMAL + f"when: '{when}'\n", "\n".join(records))
    assert [type(one) for one in found] == [Signal, Signal, Skipped]


def test_several_rules_are_tried_in_turn_and_lowered(tmp_path: Path) -> None:
    rules = (
        "level: [{when: kind == 'a', always: HIGH}, {path: v, table: {1: MEDIUM}}, {always: LOW}]\nlower: [doubtful]"
    )
    mapping = MINIMAL.replace("level: {always: LOW}", rules)
    records = [
        ('{"ip":"1.2.3.4","kind":"a"}', "HIGH"),
        ('{"ip":"1.2.3.4","v":1}', "MEDIUM"),
        ('{"ip":"1.2.3.4","v":7}', "LOW"),
        ('{"ip":"1.2.3.4","kind":"a","doubtful":true}', "MEDIUM"),
    ]
    assert [one.level for one in _signals(tmp_path, mapping, "\n".join(r for r, _ in records))] == [
        v for _, v in records
    ]
    (signal,) = _signals(tmp_path, mapping, '{"ip":"1.2.3.4","doubtful":true}')
    assert signal.level is RiskLevel.LOW, "there is no step below"


def test_a_list_of_addresses_is_all_of_them_and_a_part_knows_its_document(tmp_path: Path) -> None:
    mapping = "records: [found]\nwithin: {bad: hosts, gone: left}\nretract: within == 'gone'\n" + MINIMAL.replace(
        "seen", "seen by {who}\nfields: {who: parent.sensor}"
    )
    text = '{"found":[{"sensor":"s1","hosts":[{"ip":["1.2.3.4","1.2.3.5","1.2.3.4"]}],"left":[{"ip":"1.2.3.6"}]}]}'
    found = _found(tmp_path, mapping, text)
    assert [(one.ip, getattr(one, "message", "let go")) for one in found] == [  # type: ignore[attr-defined]
        ("1.2.3.4", "seen by s1"), ("1.2.3.5", "seen by s1"), ("1.2.3.6", "let go"),
    ]  # fmt: skip


def test_lines_are_read_by_the_groups_of_a_pattern(tmp_path: Path) -> None:
    mapping = MINIMAL + "reader: {format: lines, pattern: 'ban (?P<ip>\\S+)$'}\n"
    found = _found(tmp_path, mapping, "x ban 1.2.3.4\nnothing\n\ny ban 1.2.3.5\n")
    assert [one.ip for one in found if isinstance(one, Signal)] == ["1.2.3.4", "1.2.3.5"]
    assert [one.line for one in found if isinstance(one, Skipped)] == [2]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2018-03-24T14:37:19.037299-0600", datetime(2018, 3, 24, 20, 37, 19, 37299, UTC)),
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2025-02-25 20:40:06.000000000", datetime(2025, 2, 25, 20, 40, 6, tzinfo=ZoneInfo("Europe/Berlin"))),
        (1767607200, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        (1767607200.5, datetime(2026, 1, 5, 10, 0, 0, 500000, UTC)),
        (1767607200000, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        (1767607200000000000, datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("1767607200", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2015-05-20 20:05:48 +0000 UTC", datetime(2015, 5, 20, 20, 5, 48, tzinfo=UTC)),
        ("8/22/2022 6:07:16 PM", datetime(2022, 8, 22, 18, 7, 16, tzinfo=ZoneInfo("Europe/Berlin"))),
    ],
)
def test_a_time_is_told_by_its_form(value: object, moment: datetime) -> None:
    assert compile_time((), ZoneInfo("Europe/Berlin"), NOW)(value) == moment


@pytest.mark.parametrize("value", ["", "yesterday", None, [], {}, -1, float("nan"), 10**40, "2026-13-45T00:00:00Z"])
def test_what_is_no_time_is_refused_and_quoted(value: object) -> None:
    with pytest.raises(ValueError, match="is no time"):
        compile_time((), UTC, NOW)(value)


def test_times_without_a_year_and_in_a_form_of_ones_own() -> None:
    never = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert compile_time((), UTC, NOW)(never.isoformat()) == never, "it has no time in UTC"
    snort = compile_time(["snort"], UTC, NOW)
    assert snort("01/05-10:00:00.5") == datetime(2026, 1, 5, 10, 0, 0, 500000, UTC)
    assert snort("12/16-20:33:33.603502").year == 2025
    assert snort("07/11/2022-10:29:01.860293") == datetime(2022, 7, 11, 10, 29, 1, 860293, UTC)
    own = compile_time(["%d.%m.%Y %H:%M"], timezone(timedelta(hours=2)), NOW)
    assert own("05.01.2026 12:00") == datetime(2026, 1, 5, 10, tzinfo=UTC)


def test_a_zero_time_is_no_time_of_this_year() -> None:
    for zero in ("0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "1904-01-01T00:00:00Z"):
        assert compile_time((), UTC, NOW)(zero) == datetime.fromisoformat(zero)
    assert compile_time(["%d/%m/%y"], UTC, NOW)("05/01/26").year == 2026
    assert compile_time(["%d/%m %H:%M"], UTC, NOW)("29/02 12:00") == datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_a_mapping_file_that_is_too_large_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL + "#" * 1024 * 1024)
    with pytest.raises(SourceError, match="larger than"):
        mapping_format(path)


def test_spans_of_time_as_go_and_people_write_them() -> None:
    assert span("3h59m48.5s") == timedelta(hours=3, minutes=59, seconds=48.5)
    assert span("-100984h37m11.51766154s") < timedelta(days=-4_000)
    assert (span("7d"), span("90"), span(90), span("150ms")) == (
        timedelta(days=7), timedelta(seconds=90), timedelta(seconds=90), timedelta(milliseconds=150),
    )  # fmt: skip
    too_long = "1h" * 29 + "1ms9"
    for text in ("", "h", "3 hours", "1h x", "x1h", "3h-4m", "1.5.5h", "--4h", too_long, "9" * 50 + "h", None):
        with pytest.raises(ValueError, match="no span of time"):
            span(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ET SCAN Potential SSH Scan", "ET SCAN Potential SSH Scan"),
        ("UnauthorizedAccess:EC2/SSHBruteForce", "UnauthorizedAccess-EC2-SSHBruteForce"),
        ("Zugriff für Müller, Straße (neu)!", "Zugriff fur Muller Stra e neu"),
        ("crowdsecurity/http-cve-2021-41773", "crowdsecurity-http-cve-2021-41773"),
        ("a\x1b[2Jb", "a 2Jb"),
        ("日本", "no description"),
        (" :: ", "no description"),
    ],
)
def test_a_message_says_as_nearly_as_it_may(text: str, message: str) -> None:
    assert legal_message(text) == message


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[ipv4-addr:value = '1.2.3.4']", ["1.2.3.4"]),
        (
            "[ ipv4-addr:value='1.2.3.4' OR domain-name:value = 'x.example' OR ipv6-addr:value = '2a00::1' ]",
            ["1.2.3.4", "2a00::1"],
        ),
        ("[ipv4-addr:value ISSUBSET '1.2.3.0/30']", ["1.2.3.0/30"]),
        ("[ipv4-addr:value IN ('1.2.3.4', '1.2.3.5')]", ["1.2.3.4", "1.2.3.5"]),
        ("[ipv4-addr:value = '1.2.3.4'] OR [ipv4-addr:value = '1.2.3.5']", ["1.2.3.4", "1.2.3.5"]),
        ("([ipv4-addr:value = '1.2.3.4']) WITHIN 600 SECONDS", ["1.2.3.4"]),
        ("[file:name = 'x' AND file:size > 3]", []),
        ("[url:value = 'http://x/?a=ipv4-addr:value = 1']", []),
    ],
)
def test_the_addresses_of_a_stix_pattern(pattern: str, found: list[str]) -> None:
    assert addresses_of(pattern) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '1.2.3.4' AND file:name = 'x']",
        "[ipv4-addr:value != '1.2.3.4']",
        "[ipv4-addr:value NOT = '1.2.3.4']",
        "[ipv4-addr:value = '1.2.3.4'] AND [file:name = 'x']",
        "[ipv4-addr:value = '1.2.3.4'] FOLLOWEDBY [file:name = 'x']",
        "alert tcp 1.2.3.4 any -> any any",
        "[ipv4-addr:value = '1.2.3.4'",
        "",
    ],
)
def test_what_is_no_claim_about_an_address_alone_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"together with something else|no STIX pattern"):
        addresses_of(pattern)


def _explain(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["explain", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_explain_says_what_was_read_what_was_decided_and_by_which_rule(tmp_path: Path) -> None:
    eve = (
        '{"timestamp":"2026-01-05T10:00:00+0000","flow_id":1,"event_type":"%s","src_ip":"10.0.0.5","dest_ip":"1.2.3.4",'
    )
    eve += '"alert":{"signature_id":7,"signature":"\x1b[2J","severity":1}}\n'
    path = tmp_path / "eve.json"
    path.write_text((eve % "flow") + (eve % "alert").replace("\x1b", "\\u001b"))
    out = _explain(f"{path}:2", "--as-of", "2026-01-05T12:00:00Z")
    assert "suricata-eve, by its content" in out
    for said in (
        "ip at src_ip: '10.0.0.5'",
        "level: HIGH: alert.severity 1 is HIGH",
        "=> signal 1.2.3.4 HIGH, observed 2026-01-05T10:00:00+00:00, until 2026-01-08T10:00:00+00:00",
        "10.0.0.5 is private; 1.2.3.4 is the first address that can be signalled",
    ):
        assert said in out
    assert "record 1:" not in out
    assert "\x1b" not in out, "a log may carry what a terminal would obey"
    out = _explain(f"{path}:2", "--as-of", "2026-01-05T12:00:00Z", "--own", "1.2.3.0/24")
    assert "skipped as not_global: 10.0.0.5 is private; 1.2.3.4 is one of our own networks" in out
    drop = tmp_path / "drop.json"
    drop.write_text('{"cidr":"1.2.3.0/30","sblid":"SBL1"}\n{"type":"metadata","timestamp":1767607200}\n')
    out = _explain(f"{drop}:1", "--as-of", "2026-01-05T12:00:00Z")
    assert "counted, and nothing claimed yet" in out
    assert "=> signal 1.2.3.3 HIGH" in out, "once the date of the list is read"
    with pytest.raises(TocsinError, match="no record 9"):
        _explain(f"{path}:9")


def test_a_mapping_that_finds_nothing_says_which_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINIMAL.replace("[ip]", "[adress]"))
    (tmp_path / "records").write_text('{"address":"1.2.3.4"}\n' * 30)
    arguments = ["map", "--try", str(tmp_path / "mine.yaml"), str(tmp_path / "records")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 1
    assert f"{tmp_path}/records:1: skipped as no_address: nothing at adress" in result.stdout
    assert "ip at adress: in 0 of 30   <- nothing anywhere: is it spelled right?" in result.stdout
    assert "30 skipped as no_address" in result.stdout
