"""From files to signals, and an account of every line that became none."""

import gzip
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tocsin.cli.intake import HowToRead
from tocsin.signals import Retraction, RiskLevel, Signal, Skipped, SkipReason
from tocsin.sources import (
    Reading,
    SourceError,
    format_named,
    open_source_input,
    read_source,
    shipped_list,
)
from tocsin.sources.vetting import SIGNALS_AT_ONCE

NOW = datetime(2026, 8, 22, 9, 0, tzinfo=UTC)
HEADER = "# Last update: Sat, 22 Aug 2026 03:00:29 +0200\n"
LIST_DATE = datetime(2026, 8, 22, 1, 0, 29, tzinfo=UTC)


def _reading(*, now: datetime = NOW, as_of: datetime | None = None, allow_non_global: bool = True) -> Reading:
    return Reading(now=now, source="a list", as_of=as_of, allow_non_global=allow_non_global)


def _read(
    path: Path, text: str | bytes, reading: Reading | None = None, form: str | None = None
) -> list[Signal | Skipped]:
    path = path / "list"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_source(str(path), reading or _reading(), form=format_named(form) if form else None)
    return [one for one in found if not isinstance(one, Retraction)]


def test_an_ipsum_list_is_dated_by_its_header_and_holds_for_48_hours(tmp_path: Path) -> None:
    assert _read(tmp_path, HEADER + "203.0.113.5\t7\n") == [
        Signal(
            "203.0.113.5",
            RiskLevel.HIGH,
            LIST_DATE,
            LIST_DATE + timedelta(hours=48),
            "ipsum listed by 7 blocklists",
            "a list",
        )
    ]


@pytest.mark.parametrize(
    ("lists", "level"), [(2, "LOW"), (3, "MEDIUM"), (4, "MEDIUM"), (5, "HIGH"), (10, "HIGH"), (999_999, "HIGH")]
)
def test_the_bands_of_ipsum(tmp_path: Path, lists: int, level: str) -> None:
    (signal,) = _read(tmp_path, f"203.0.113.5\t{lists}\n")
    assert isinstance(signal, Signal)
    assert signal.level == level


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("203.0.113.5\t1", SkipReason.BELOW_BANDS),
        ("203.0.113.5\t0", SkipReason.BELOW_BANDS),
        ("203.0.113.500\t4", SkipReason.BAD_ADDRESS),
        ("203.0.112.0/20\t4", SkipReason.NETWORK_TOO_LARGE),
        ("203.0.113.5 4", SkipReason.NOT_A_RECORD),
        ("203.0.113.5", SkipReason.NOT_A_RECORD),
        ("203.0.113.5\t-4", SkipReason.NOT_A_RECORD),
        ("203.0.113.5\t٤", SkipReason.NOT_A_RECORD),
        ("203.0.113.5\t" + "9" * 5000, SkipReason.NOT_A_RECORD),
        ("# Last update: yesterday", SkipReason.BAD_TIME),
    ],
)
def test_a_line_of_ipsum_that_is_no_signal_says_why_and_where(tmp_path: Path, line: str, reason: SkipReason) -> None:
    found = _read(tmp_path, f"203.0.113.9\t2\n{line}\n203.0.113.10\t2\n")
    assert [type(item) for item in found] == [Signal, Signal, Skipped]
    skipped = found[2]
    assert isinstance(skipped, Skipped)
    assert (skipped.reason, skipped.line) == (reason, 2)
    assert skipped.excerpt == line[:60]
    assert skipped.detail


def test_own_records_keep_their_times_and_get_a_day_when_they_tell_none(tmp_path: Path) -> None:
    times = '"timestamp":"2026-08-22T10:00:00+02:00","expiresAt":"2026-08-23T00:00:00Z"'
    timed = f'{{"ip":"::ffff:203.0.113.5","riskLevel":"HIGH",{times}}}'
    plain = '{"ip":"2001:DB8::1","riskLevel":"LOW","message":"seen twice","sensor":"edge-3"}'
    found = _read(tmp_path, f"{timed}\n\n{plain}\n")
    assert found == [
        Signal("203.0.113.5", RiskLevel.HIGH, NOW - timedelta(hours=1), NOW + timedelta(hours=15), "", "a list"),
        Signal("2001:db8::1", RiskLevel.LOW, NOW, NOW + timedelta(hours=24), "seen twice", "a list"),
    ]


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        ("not json", SkipReason.NOT_A_RECORD, "not JSON"),
        ("[1]", SkipReason.NOT_A_RECORD, "JSON object"),
        ("[" * 60_000, SkipReason.NOT_A_RECORD, "nested too deeply"),
        ('{"riskLevel":"LOW"}', SkipReason.BAD_ADDRESS, "ip: is missing"),
        ('{"ip":"10.0.0.300","riskLevel":"LOW"}', SkipReason.BAD_ADDRESS, "10.0.0.300"),
        ('{"ip":"203.0.113.5","riskLevel":"high"}', SkipReason.BAD_LEVEL, "HIGH, MEDIUM or LOW"),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","message":"a, b"}', SkipReason.BAD_MESSAGE, "','"),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","timestamp":"2026-08-22"}', SkipReason.BAD_TIME, "RFC 3339"),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","timestamp":1787389200}', SkipReason.BAD_TIME, "string"),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","expiresAt":""}', SkipReason.BAD_TIME, "RFC 3339"),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","timestamp":"2026-08-22T10:00:00Z"}', SkipReason.BAD_TIME, "clock"),
        (
            '{"ip":"2.2.2.2","riskLevel":"LOW","timestamp":"2026-08-22T08:00:00Z","expiresAt":"2026-08-22T07:00:00Z"}',
            SkipReason.BAD_TIME,
            "not later",
        ),
        ('{"ip":"203.0.113.5","riskLevel":"LOW","timestamp":"2026-08-20T08:00:00Z"}', SkipReason.EXPIRED, "passed"),
    ],
)
def test_an_own_record_that_is_no_signal_says_why(tmp_path: Path, line: str, reason: SkipReason, says: str) -> None:
    (skipped,) = _read(tmp_path, line, form="jsonl")
    assert isinstance(skipped, Skipped)
    assert (skipped.reason, skipped.line) == (reason, 1)
    assert says in skipped.detail


def test_only_what_someone_must_mend_counts_as_broken() -> None:
    broken = {str(reason) for reason in SkipReason if reason.broken}
    assert broken == {
        "not_a_record", "bad_address", "bad_level", "bad_message", "bad_time", "too_long", "cut_off",
    }  # fmt: skip


def test_an_old_list_has_expired_unless_it_is_read_as_of_another_time(tmp_path: Path) -> None:
    later = NOW + timedelta(days=30)
    (skipped,) = _read(tmp_path, HEADER + "203.0.113.5\t7\n", _reading(now=later))
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.EXPIRED
    (signal,) = _read(tmp_path, HEADER + "203.0.113.5\t7\n", _reading(now=later, as_of=later))
    assert isinstance(signal, Signal)
    assert signal.observed == later


def test_addresses_that_are_no_host_on_the_internet_are_left_out_unless_allowed(tmp_path: Path) -> None:
    text = "10.0.0.1\t5\n203.0.113.5\t5\n192.88.0.1\t5\n"
    found = _read(tmp_path, text, _reading(allow_non_global=False))
    assert [item.detail if isinstance(item, Skipped) else item.ip for item in found] == [
        "192.88.0.1",
        "10.0.0.1 is private",
        "203.0.113.5 is for documentation",
    ]
    assert all(isinstance(item, Signal) for item in _read(tmp_path, text))


def test_gzip_windows_line_ends_and_a_byte_order_mark_are_read_by_content(tmp_path: Path) -> None:
    text = "\ufeff203.0.113.5\t5\r\n203.0.113.6\t5\r\n"
    for content in (text.encode(), gzip.compress(text.encode())):
        assert [item.ip for item in _read(tmp_path, content) if isinstance(item, Signal)] == [
            "203.0.113.5",
            "203.0.113.6",
        ]


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO(gzip.compress(b"203.0.113.5\t5\n"))
    stdin = SimpleNamespace(buffer=io.BufferedReader(raw))
    monkeypatch.setattr("sys.stdin", stdin)
    assert len(list(read_source("-", _reading()))) == 1
    assert not stdin.buffer.closed


def test_bytes_that_are_no_text_and_endless_lines_cost_one_line_each(tmp_path: Path) -> None:
    first = b"203.0.113.4\t5\n203.0.113.5\t5\n"
    found = _read(tmp_path, first + b"\xff\xfe\x00\t5\n" + b"x" * 300_000 + b"\n203.0.113.6\t5\n")
    assert [item.ip for item in found if isinstance(item, Signal)] == ["203.0.113.4", "203.0.113.5", "203.0.113.6"]
    assert [item.line for item in found if isinstance(item, Skipped)] == [3, 4]


def test_a_broken_off_gzip_file_is_read_as_far_as_it_goes_and_says_where_it_ends(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"203.0.113.%d\t5\n" % (number % 250) for number in range(50_000)))
    *found, last = _read(tmp_path, whole[:-2000])
    assert {type(item) for item in found} <= {Signal, Skipped}
    assert sum(isinstance(item, Signal) for item in found) > 1000
    assert isinstance(last, Skipped)
    assert last.reason is SkipReason.CUT_OFF
    assert "breaks off after record" in last.detail


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "directory")):
        with pytest.raises(SourceError, match=why) as caught:
            list(read_source(str(path), _reading()))
        assert str(path) in str(caught.value)


def test_an_unknown_format_an_empty_file_and_a_wrong_name_say_what_to_do(tmp_path: Path) -> None:
    for text, says in (("<html>\n<p>503\n", "no format"), ("", "is empty"), ("\n \n", "is empty")):
        with pytest.raises(SourceError, match=says) as caught:
            _read(tmp_path, text)
        assert caught.value.hint is not None
        assert "--format" in caught.value.hint
    assert _read(tmp_path, "", form="ipsum") == []
    with pytest.raises(SourceError, match="'nothing like it' is no format") as caught:
        format_named("nothing like it")
    assert caught.value.hint is not None
    assert "ipsum, " in caught.value.hint


def test_the_shipped_list_is_the_30_000_most_dangerous_of_ipsum() -> None:
    with shipped_list() as path:
        found = list(read_source(path, _reading(as_of=NOW, allow_non_global=False)))
        expired = list(read_source(path, _reading(now=NOW + timedelta(days=365))))
    assert Counter(item.level for item in found if isinstance(item, Signal)) == {
        RiskLevel.HIGH: 1_413,
        RiskLevel.MEDIUM: 12_804,
        RiskLevel.LOW: 15_783,
    }
    assert len(found) == len({item.ip for item in found if isinstance(item, Signal)}) == 30_000
    assert {item.reason for item in expired if isinstance(item, Skipped)} == {SkipReason.EXPIRED}


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ('"timestamp":"9999-12-31T23:00:00Z"', SkipReason.BAD_TIME, "timestamp: leaves no room"),
        ('"expiresAt":"2026-08-22T08:00:00Z"', SkipReason.EXPIRED, "claimed until"),
        ('"timestamp":"2026-08-22T07:00:00Z","expiresAt":"2026-08-22T08:00:00Z"', SkipReason.EXPIRED, "claimed until"),
        ('"timestamp":"2026-08-22T09:00:00Z","expiresAt":"2026-08-22T08:00:00Z"', SkipReason.BAD_TIME, "is not later"),
        ('"timestamp":', SkipReason.NOT_A_RECORD, "the line is not JSON"),
    ],
)
def test_a_record_is_explained_by_what_is_wrong_with_it(
    tmp_path: Path, fields: str, reason: SkipReason, detail: str
) -> None:
    (found,) = _read(tmp_path, '{"ip":"203.0.113.5","riskLevel":"HIGH",' + fields + "}\n", form="jsonl")
    assert isinstance(found, Skipped)
    assert found.reason is reason
    assert detail in found.detail


def test_at_a_time_of_the_past_a_list_keeps_its_own_date(tmp_path: Path) -> None:
    content = HEADER + "203.0.113.5\t7\n"
    dated = datetime(2026, 8, 22, 1, 0, 29, tzinfo=UTC)

    def at(when: datetime) -> list[str]:
        reading = Reading(now=when, source="a list", past=True, allow_non_global=True)
        return [
            str(one.reason) if isinstance(one, Skipped) else one.observed.astimezone(UTC).isoformat()
            for one in _read(tmp_path, content, reading)
        ]

    assert at(dated + timedelta(days=1)) == [dated.isoformat()]
    assert at(dated + timedelta(days=3)) == ["expired"]
    assert at(dated - timedelta(days=1)) == ["not_yet"]


def test_an_old_list_is_taken_for_one_of_today_only_when_asked_for_now() -> None:
    now = datetime(2027, 1, 5, tzinfo=UTC)
    counts = []
    for as_of in (now, now - timedelta(days=30), datetime(2026, 8, 23, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)):
        reading = HowToRead(now=now, as_of=as_of).reading("a list")
        with shipped_list() as path:
            counts.append(Counter(type(one).__name__ for one in read_source(path, reading))["Signal"])
    assert counts == [30_000, 0, 30_000, 0]


@pytest.mark.slow
def test_a_block_of_many_networks_comes_in_pieces(tmp_path: Path) -> None:
    """256 addresses each: a chunk of such lines would be millions of signals in memory at once."""
    path = tmp_path / "nets.txt"
    path.write_text("".join(f"20.{n // 256}.{n % 256}.0/24\n" for n in range(1_000)))
    with open_source_input(str(path)) as source:
        parts = list(source.pieces(_reading()))
    signals = [len(part.claims) for part in parts]
    assert (sum(signals), sum(part.records for part in parts)) == (256_000, 1_000)
    assert max(signals) < 2 * SIGNALS_AT_ONCE
    ends = [part.end for part in parts]
    assert ends == sorted(ends)
    # Until the last of its pieces is durable, a block is read again from its start.
    assert (ends[0], ends[-1]) == (0, path.stat().st_size)
