"""What nobody wants to read is counted by reason, with its place, and the rest goes on."""

import gzip
import io
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from backports import zstd

from tocsin.signals import Signal, Skipped, SkipReason
from tocsin.sources import Format, Input, Reading, format_named, formats, open_source_input
from tocsin.sources.opening import Opened
from tocsin.sources.readers.address_list import AddressListReader

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
EVE = (
    '{"timestamp":"%s","flow_id":1,"event_type":"alert","src_ip":"%s","dest_ip":"10.0.0.5",'
    '"alert":{"signature_id":1,"signature":"ET SCAN","severity":2}}'
)
GOOD = EVE % ("2026-01-05T10:00:00+0000", "1.2.3.4")
LONG = "x" * (10 * 1024 * 1024)


def _read(folder: Path, content: str | bytes, form: str | None = None) -> tuple[list[str], list[tuple[str, int]], int]:
    path = folder / "input"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_source_input(str(path), format_named(form) if form else None) as source:
        parts = list(source.pieces(Reading(now=NOW, source="x")))
    ips = [claim.ip for part in parts for claim in part.claims if isinstance(claim, Signal)]
    skipped = [(str(one.reason), one.line) for part in parts for one in part.skipped]
    return ips, skipped, sum(part.records for part in parts)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD[:60], "not_a_record"),
        ("\x00\x00\x00", "not_a_record"),
        (GOOD.replace("ET SCAN", "a\x00b"), "not_a_record"),
        (LONG, "too_long"),
        ('{"event_type":"alert","big":"' + LONG + '"}', "too_long"),
        ("[" * 100_000, "not_a_record"),
        ("null", "no_claim"),
        ("7", "no_claim"),
        ('{"event_type":"alert"}', "no_address"),
        ('{"event_type":"flow","src_ip":"1.2.3.4"}', "no_claim"),
        ('{"event_type":"drop","src_ip":"1.2.3.4","drop":{}}', "no_claim"),
        (GOOD.replace('"severity":2', '"severity":77'), "no_level"),
        (GOOD.replace('"severity":2', '"severity":4'), "below_bands"),
        (GOOD.replace('"severity":2', '"severity":{}'), "no_level"),
        (EVE % ("2026-01-05T10:00:00+0000", "10.0.0.9"), "not_global"),
        (EVE % ("2026-01-05T10:00:00+0000", "1.2.3.400"), "bad_address"),
        (EVE % ("2036-01-05T10:00:00+0000", "1.2.3.4"), "bad_time"),
        (EVE % ("1970-01-01T00:00:00Z", "1.2.3.4"), "expired"),
        (EVE % ("yesterday", "1.2.3.4"), "bad_time"),
    ],
    ids=lambda text: text[:40],
)
def test_a_bad_record_is_counted_where_it_stands_and_the_rest_goes_on(tmp_path: Path, line: str, reason: str) -> None:
    ips, skipped, records = _read(tmp_path, f"{GOOD}\n{line}\n{GOOD}\n", form="suricata-eve")
    assert (ips, skipped, records) == (["1.2.3.4", "1.2.3.4"], [(reason, 2)], 3)


def test_a_packet_dropped_for_an_alert_is_one(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD.replace('"event_type":"alert"', '"event_type":"drop"'))[0] == ["1.2.3.4"]


def test_an_endless_line_of_a_list_costs_one_record(tmp_path: Path) -> None:
    assert _read(tmp_path, f"1.2.3.4\n{LONG}\n1.2.3.5\n") == (["1.2.3.4", "1.2.3.5"], [("too_long", 2)], 3)


def test_a_row_that_is_none_costs_itself(tmp_path: Path) -> None:
    header = "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id"
    row = "9,crowdsec,Ip:%s,ssh,ban,ZZ,64496,6,3h,false,91"
    bad = '"a\rb' + "x" * 200_000 + '",'
    ips, skipped, records = _read(tmp_path, "\n".join([header, row % "1.2.3.4", bad, "", row % "1.2.3.5"]))
    assert (ips, skipped, records) == (["1.2.3.4", "1.2.3.5"], [("not_a_record", 3)], 3)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_any_encoding_is_read_as_far_as_it_is_text(tmp_path: Path, encoding: str) -> None:
    ips, skipped, _ = _read(tmp_path, "# für alle\r\n1.2.3.4\r\n1.2.3.5\r\n".encode(encoding))
    assert (ips, skipped) == (["1.2.3.4", "1.2.3.5"], [])


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_input_is_known_by_content(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    content = pack(f"{GOOD}\n".encode() * 3)
    assert _read(tmp_path, content)[0] == ["1.2.3.4"] * 3
    two = pack(b"1.2.3.4\n") + pack(b"1.2.3.5\n")
    assert _read(tmp_path, two)[0] == ["1.2.3.4", "1.2.3.5"], "as rotated logs are put together"


@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packed_input_that_breaks_off_gives_no_half_record(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    lines = [f"1.{n // 62_500}.{n // 250 % 250}.{n % 250}" for n in range(200_000)]
    content = pack("\n".join(lines).encode() + b"\n")
    ips, skipped, _ = _read(tmp_path, content[: len(content) * 2 // 3])
    assert ips
    assert ips == lines[: len(ips)]
    assert [reason for reason, _ in skipped] == ["cut_off"]


def test_an_array_that_breaks_off_gives_its_whole_elements(tmp_path: Path) -> None:
    text = "[" + ",\n".join([GOOD] * 5)
    assert _read(tmp_path, text[:-20]) == (["1.2.3.4"] * 4, [("cut_off", 5)], 5)


def test_one_broken_element_of_an_array_costs_itself(tmp_path: Path) -> None:
    broken = GOOD.replace('"severity":2', '"severity":02')
    assert _read(tmp_path, f"[{GOOD},{broken},{GOOD}]") == (["1.2.3.4"] * 2, [("not_a_record", 2)], 3)


@pytest.mark.parametrize("form", formats(), ids=lambda form: form.name)
def test_no_format_falls_over_what_was_not_meant_for_it(tmp_path: Path, form: Format) -> None:
    examples = [other.example for other in formats() if other.name != form.name]
    garbage = ["<html>", "\x00\x01\x02", "{", "}", "[1,2", '"', "a,b,c\n,,,", "\ud7ff" * 20, "%s%n" * 10]
    for text in (*examples, *garbage, "\n".join(examples)):
        ips, skipped, records = _read(tmp_path, text, form=form.name)
        if form.group != "Host logs":  # those count over several lines
            assert records <= len(ips) + len(skipped), "each record is a signal, or counted by a reason"


def test_the_same_twice_is_the_same_signals_twice_for_the_relay_to_coalesce(tmp_path: Path) -> None:
    once = _read(tmp_path, f"{GOOD}\n")[0]
    assert _read(tmp_path, f"{GOOD}\n{GOOD}\n")[0] == once * 2


class _Endless(io.RawIOBase):
    """As many bytes of the same piece as wanted, and none of them kept."""

    def __init__(self, head: bytes, piece: bytes, times: int) -> None:
        self._left = self._pieces(head, piece, times)

    def _pieces(self, head: bytes, piece: bytes, times: int) -> Iterator[bytes]:
        if head:
            yield head
        for _ in range(times):
            yield piece

    def read1(self, _size: int) -> bytes:
        return next(self._left, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "head", "piece"),
    [
        ("suricata-eve", b"[", (GOOD + ",\n").encode() * 200),
        ("suricata-eve", b"", (GOOD + "\n").encode() * 200),
        ("ip-list", b"", (b"1.2.3.4 # " + b"x" * 118 + b"\n") * 512),
        ("ip-list", b"", b"x" * 65_536),
        ("sshd", b"", b"Jan  5 10:00:00 h sshd[7]: Failed password for root from 1.2.3.4 port 4711 ssh2\n" * 800),
    ],
    ids=["array", "lines", "list", "endless line", "log"],
)
def test_memory_stays_flat_however_long_the_input(form: str, head: bytes, piece: bytes) -> None:
    peaks = []
    for times in (12, 48):
        opened = Opened("endless", None, _Endless(head, piece, times))
        tracemalloc.start()
        counted = Counter[bool]()
        for part in Input(opened, format_named(form)).pieces(Reading(now=NOW, source="x")):
            counted[True] += part.records
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert counted[True] >= 1
    assert peaks[1] < peaks[0] * 1.5, "four times the input"


def test_every_reason_can_be_said_in_the_summary() -> None:
    from tocsin.cli.send_report import TITLES

    assert set(TITLES) == set(SkipReason)
    assert Skipped(SkipReason.CUT_OFF, 1, "", "").reason.broken


_CEF = "CEF:0|a|b|1|c|n|%s|src=1.2.3.4 rt=%s"
_SSH = "%s host sshd[7]: Failed password for root from 1.2.3.4 port 5000 ssh2"
_FAST = "%s-10:00:00.1  [**] [1:2:4] x [**] [Priority: 2] {UDP} 1.2.3.4:5060 -> 10.0.0.5:5060"
_BAN = "%s,584 fail2ban.actions [9275]: NOTICE  [sshd] Ban 1.2.3.4"


@pytest.mark.parametrize(
    ("form", "good", "bad", "reason"),
    [
        ("fast-alerts", _FAST % "01/05/2026", _FAST % "12/31/9999", "bad_time"),
        ("fail2ban-log", _BAN % "2026-01-05 10:00:00", _BAN % "9999-12-31 23:00:00", "bad_time"),
        ("cef", _CEF % (5, 1767607200000), _CEF % (5, "9999-12-31T23:00:00Z"), "bad_time"),
        ("cef", _CEF % (5, 1767607200000), _CEF % ("²", 1767607200000), "below_bands"),
        ("ip-list", "1.2.3.4", "# Last update: Fri, 31 Dec 9999 23:00:00 +0000", "bad_time"),
        ("tor-exit-addresses", "ExitAddress 1.2.3.4 2026-01-05 10:03:04", "ExitAddress 1.2.3.5 2026-01-05 99:03:04",
         "bad_time"),
        ("suricata-eve", GOOD, GOOD.replace('"severity":2', '"severity":1' + "0" * 400), "no_level"),
        ("suricata-eve", GOOD, EVE % ("9999-12-31T23:00:00Z", "1.2.3.4"), "bad_time"),
    ],
)  # fmt: skip
def test_a_record_that_no_rule_foresaw_is_one_broken_record(
    tmp_path: Path, form: str, good: str, bad: str, reason: str
) -> None:
    assert _read(tmp_path, f"{good}\n{bad}\n{good}\n", form) == (["1.2.3.4"] * 2, [(reason, 2)], 3)


def test_counts_that_end_in_the_year_9999_are_broken_lines(tmp_path: Path) -> None:
    content = "".join(f"{_SSH % '9999-12-31T23:00:00Z'}\n".replace("[7]", f"[{n}]") for n in range(3))
    assert _read(tmp_path, content, "sshd") == ([], [("below_bands", 1), ("below_bands", 2), ("bad_time", 3)], 3)


def test_a_list_from_the_year_9999_is_yet_to_come(tmp_path: Path) -> None:
    content = '{"cidr":"1.2.3.0/32","sblid":"SBL1","rir":"x"}\n{"type":"metadata","timestamp":253402297200}\n'
    assert _read(tmp_path, content, "spamhaus-drop")[1] == [("bad_time", 1)]


def test_a_defect_of_a_reader_costs_the_record_it_met(tmp_path: Path) -> None:
    class Defect(AddressListReader):
        def comment(self, number: int, text: str, skips: list[Skipped]) -> int:
            raise KeyError(number)

    form = msgspec.structs.replace(format_named("ip-list"), reader=Defect)
    path = tmp_path / "list"
    path.write_text("1.2.3.4\n# x\n1.2.3.5\n")
    with open_source_input(str(path), form) as source:
        parts = list(source.pieces(Reading(now=NOW, source="x")))
    assert [len(part.claims) for part in parts] == [2, 0]
    assert [(str(one.reason), one.line, one.detail) for part in parts for one in part.skipped] == [
        ("not_a_record", 2, "cannot be read: KeyError: 2")
    ]
