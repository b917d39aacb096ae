"""What a person sees whose own files, or mappings of them, are not as the command thinks."""

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest
from backports import zstd
from typer.testing import CliRunner, Result

from tocsin.cli.explain import NoSuchRecord
from tocsin.cli.intake import Intake
from tocsin.cli.main import app
from tocsin.cli.send_report import INTERRUPTED, Report, lines
from tocsin.relay import Tally
from tocsin.sources import SourceError, formats, mapping_format
from tocsin.sources.sample import PARQUET_MAGIC

MAPPING = """
profile = "my-gateway"
message = "blocked"
[reader]
format = "{form}"
[ip]
paths = ["client"]
[level]
always = "LOW"
"""
ROWS = "client,when\n8.8.8.8,2026-01-05T10:00:00Z\n"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def _error(result: Result) -> SourceError:
    assert isinstance(result.exception, SourceError), (result.output, result.exception)
    return result.exception


def _mapping(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_packed_list_that_breaks_off_before_anything_is_read_is_not_called_empty(tmp_path: Path) -> None:
    packed = zstd.compress("".join(f"8.8.{n // 250}.{n % 250}\n" for n in range(5_000)).encode())
    cut = tmp_path / "cut.zst"
    cut.write_bytes(packed[:300])
    error = _error(_run("explain", cut))
    assert f"{cut} breaks off before its format can be told: Compressed file ended" in str(error)
    assert "fetch it again" in str(error.hint)
    as_list = _run("explain", cut, "--format", "ip-list")
    assert "breaks off after record 0" in as_list.output


@pytest.mark.parametrize("command", [("explain", "--mapping"), ("map", "--try")])
def test_a_mapping_of_another_reader_says_what_the_file_is_and_what_it_reads(
    tmp_path: Path, command: tuple[str, str]
) -> None:
    (tmp_path / "flows.parquet").write_bytes(PARQUET_MAGIC + b"\x15\x04" * 40 + PARQUET_MAGIC)
    mapping = _mapping(tmp_path, MAPPING.format(form="csv"))
    error = _error(_run(command[0], tmp_path / "flows.parquet", command[1], mapping))
    assert "flows.parquet is Parquet, and my-gateway reads text" in str(error)
    assert "[reader]" in str(error.hint)


def test_map_says_that_a_file_is_not_the_parquet_it_was_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    result = _run("map", "--try", _mapping(tmp_path, MAPPING.format(form="parquet")), tmp_path / "rows.csv")
    assert result.exit_code == 1
    assert "Parquet is not read" in result.output
    assert "spelled right" not in result.output


@pytest.mark.parametrize(
    ("line", "instead", "says", "hint"),
    [
        ('paths = ["client"]', 'paths = ["Quell IP"]', "ip.paths: 'Quell IP' is not JMESPath", """'"Quell IP"'"""),
        ('paths = ["client"]', 'paths = ["Score (0-100)"]', "ip.paths: 'Score (0-100)'", """'"Score (0-100)"'"""),
        ('always = "LOW"', 'path = "a =="\ntable = { 1 = "LOW" }', "level: 'a =='", """'"Source IP"'"""),
        ('message = "blocked"', 'message = "[{rule}]"', "message: '[{rule}]' names rule", "add fields.rule"),
        ('profile = "my', 'profil = "my', "there is no key profil", "did you mean profile?"),
        ('always = "LOW"', 'alway = "LOW"', "there is no key level.alway", "did you mean always?"),
        ('message = "blocked"', "", "the key message is missing", "add message = ..."),
        ('format = "json"', 'format = "jsn"', "reader.format: invalid enum value 'jsn'", "one of csv, json,"),
        ('format = "json"', 'format = "lines"\npattern = "("', "reader.pattern: the pattern '('", "(?P<name>...)"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_told_with_its_file_key_and_mend(
    tmp_path: Path, line: str, instead: str, says: str, hint: str
) -> None:
    path = _mapping(tmp_path, MAPPING.format(form="json").replace(line, instead))
    with pytest.raises(SourceError) as caught:
        mapping_format(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert hint in str(caught.value.hint)


def test_the_quoting_that_the_hint_shows_finds_the_column(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("Quell IP\n8.8.8.8\n")
    mapping = _mapping(tmp_path, MAPPING.format(form="csv").replace('"client"', """'"Quell IP"'"""))
    assert "=> signal 8.8.8.8 LOW" in _run("explain", tmp_path / "rows.csv", "--mapping", mapping).output


def test_an_export_with_semicolons_and_days_first_is_told_how_to_be_read_and_then_is(tmp_path: Path) -> None:
    export, how = tmp_path / "fw.csv", ("--as-of", "2026-11-25T23:00:00Z")
    export.write_bytes(b"\xef\xbb\xbfZeitstempel;Quell IP;Regel-Name\r\n25.11.2026 19:57:29;8.8.8.8;ssh\r\n")
    error = _error(_run("explain", export))
    assert "in no format" in str(error)
    assert "--mapping FILE" in str(error.hint)
    (account,) = map(json.loads, _run("send", export, "--dry-run", "--json").stdout.splitlines())
    assert "--mapping FILE" in account["hint"]
    mapping = MAPPING.format(form="csv").replace('"client"', """'"Quell IP"'""")
    mapping += '[timestamp]\npaths = ["Zeitstempel"]\n'
    tried = _run("map", "--try", _mapping(tmp_path, mapping), export, *how).output
    assert "the first record has Zeitstempel;Quell IP;Regel-Name\n" in tried
    assert "delimiter = ';' under [reader]" in tried
    mapping = mapping.replace("[reader]\n", "[reader]\ndelimiter = ';'\n")
    tried = _run("map", "--try", _mapping(tmp_path, mapping), export, *how).output
    assert "is no time in the form" in tried
    (line,) = (line.strip() for line in tried.splitlines() if "under [timestamp]" in line)
    read = _run("map", "--try", _mapping(tmp_path, f"{mapping}{line.partition(' under')[0]}\n"), export, *how)
    assert read.exit_code == 0
    assert "signal 8.8.8.8 LOW, observed 2026-11-25T19:57:29+00:00" in read.output
    assert "the first record has" not in read.output


def test_one_file_that_cannot_be_read_keeps_all_from_being_sent_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TOKEN", "s3cret")
    (tmp_path / "good.txt").write_text("8.8.8.8\n")
    files = (tmp_path / "good.txt", tmp_path / "no.log")
    error = _error(_run("send", *files, "--to", "http://127.0.0.1:1"))
    assert str(error).endswith("No such file or directory; nothing was sent, of the other files neither")
    tried = _run("send", *files, "--dry-run")
    assert tried.exit_code == 1
    assert "good.txt: ip-list: 1 records, 1 signals" in tried.stdout
    assert "1 IP (1 MEDIUM): 1 request" in tried.stdout
    assert f"{tmp_path}/no.log: not read" in tried.stdout
    assert f"{tmp_path}/no.log cannot be read: No such file or directory\n  hint: check the path" in tried.stderr
    for command in (("explain",), ("send", "--dry-run", files[0])):
        result = _run(*command, tmp_path)
        assert "name the files in it" in f"{result.stderr}{getattr(result.exception, 'hint', '')}"


@pytest.mark.parametrize(
    ("requests", "stopped", "says"),
    [
        (0, "it would travel in the clear", ("nothing was sent", "mend what stopped it first, then the same command")),
        (3, "no connection", ("nothing was delivered to o.example in 3 attempts", "mend what stopped it first")),
        (0, INTERRUPTED, ("nothing was sent", "not delivered 2: the same command again goes on from here")),
    ],
)
def test_what_was_not_delivered_names_what_comes_before_the_same_command(
    tmp_path: Path, requests: int, stopped: str, says: tuple[str, str]
) -> None:
    tally, took = Tally(requests=requests), timedelta(0)
    report = Report(Intake(), tally, "o.example", took, subjects=2, left=2, stopped=stopped, kept_in=tmp_path)
    first, last = lines(report)
    assert first == says[0]
    assert says[1] in last


def test_explain_says_what_it_leaves_out_and_how_far_records_go(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("\n".join(f"8.8.8.{n}" for n in range(7)))
    assert f"there are more: {path}:LINE explains one of them" in _run("explain", path).output
    assert "there are more" not in _run("explain", f"{path}:3").output
    assert "its last record is 7; comments" in str(_none(_run("explain", f"{path}:999")).hint)
    error = _none(_run("explain", f"{path}:abc"))
    assert str(error) == f"'abc' is no line of {path}"
    assert f"{path}:3" in str(error.hint)
    (tmp_path / "rows.csv").write_text(ROWS)
    mapping = _mapping(tmp_path, MAPPING.format(form="csv"))
    out = _run("explain", tmp_path / "rows.csv", "--mapping", mapping, "--as-of", "now").output
    assert out.startswith(f"{tmp_path}/rows.csv: my-gateway, as you say\n")


def _none(result: Result) -> NoSuchRecord:
    assert isinstance(result.exception, NoSuchRecord), result.output
    return result.exception


def test_of_a_format_that_is_code_its_example_is_shown_and_how_to_try_it(tmp_path: Path) -> None:
    shown = _run("formats", "ipsum")
    assert shown.exit_code == 0
    assert "    203.0.113.5\t4\n" in shown.output
    assert "is read by code" in shown.output
    (line,) = (line for line in _run("formats").output.splitlines() if "tries an example" in line)
    (tmp_path / "example").write_text("203.0.113.5\t4\n")
    options = line.partition(": ")[2].partition(" tries")[0].split()
    assert "1 records, 1 signals" in _run("send", tmp_path / "example", "--dry-run", *options).output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--own", "10.0.0.300/8"), "--own: '10.0.0.300/8' does not"),
        (("--proxy", "x"), "--proxy: 'x' does not"),
        (("--timezone", "Berlin"), "'Berlin' is no time zone"),
    ],
)
def test_a_wrong_value_of_an_option_is_wrong_usage_and_names_it(options: tuple[str, str], says: str) -> None:
    result = _run("send", "-", "--dry-run", *options)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_a_broken_copy_of_a_mapping_is_told_from_the_format_it_was_copied_of(tmp_path: Path) -> None:
    eve = next(form.example for form in formats() if form.name == "suricata-eve")
    (tmp_path / "eve.json").write_text(f"{eve}\n")
    (tmp_path / "mine.yaml").write_text(_run("formats", "suricata-eve").output.replace("src_ip", "sorc_ip"))
    options = ("--dry-run", "--allow-non-global", "--as-of", "2026-01-05T12:00:00Z", "--own", "10.0.0.0/8")
    told = _run("send", tmp_path / "eve.json", "--mapping", tmp_path / "mine.yaml", *options).stderr
    assert told.startswith(f"nothing was found in {tmp_path}/eve.json by your mapping {tmp_path}/mine.yaml\n")
    assert "  hint: by its content it is suricata-eve" in told


def test_what_is_quoted_of_a_broken_record_shows_that_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(gzip.compress(b"8.8.8.8\n" + b"x" * 80 + b"\nshort one\n8.8.8.9\n")[:-6])
    told = _run("send", tmp_path / "list", "--dry-run", "--format", "ip-list").stderr
    assert f"it reads '{'x' * 60}'...\n" in told
    assert "it reads 'short one'\n" in told
    assert "it reads ''" not in told
    assert "breaks off after record" in told
