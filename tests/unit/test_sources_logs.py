"""Logs are written by attackers as well: who is named last, who is counted, and what is no sign-in."""

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.signals import RiskLevel, Signal, Skipped, SkipReason
from tocsin.sources import Reading, format_named, guard_of, open_source_input
from tocsin.sources.mapping.times import compile_time
from tocsin.sources.readers.counted import CountedReader
from tocsin.sources.readers.sshd import SshdReader
from tocsin.sources.reading import Block, Claim

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def _reading() -> Reading:
    return Reading(now=NOW, source="x")


def _reader(form: str, reading: Reading | None = None) -> CountedReader:
    reader = format_named(form).reader(reading or _reading())
    assert isinstance(reader, CountedReader)
    return reader


def _counted(reader: CountedReader, text: str) -> tuple[str, int]:
    event = reader.event(1, text)
    return ("", 0) if event is None or isinstance(event, Skipped) else (event.address, event.weight)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("Failed password for root from 1.2.3.4 port 4711 ssh2", "1.2.3.4"),
        ("Failed password for invalid user a from 9.9.9.9 port 1 ssh2 from 1.2.3.4 port 4711 ssh2", "1.2.3.4"),
        ("Failed password for invalid user from 9.9.9.9 from 2a00::5 port 4711 ssh2", "2a00::5"),
        ("Failed password for a from 9.9.9.9 port 1 ssh2: b from 1.2.3.4 port 4711 ssh2", ""),
        ("Failed none for root from 1.2.3.4 port 4711 ssh2", ""),
        ("Failed publickey for root from 1.2.3.4 port 4711 ssh2: RSA SHA256:abc", ""),
        ("Failed publickey for invalid user x from 1.2.3.4 port 4711 ssh2: RSA SHA256:abc", "1.2.3.4"),
        ("Invalid user a from 9.9.9.9 from 1.2.3.4 port 4711", "1.2.3.4"),
        ("Invalid user  from 1.2.3.4", "1.2.3.4"),
        ("error: PAM: Authentication failure for x from 1.2.3.4 via 10.0.0.1", "1.2.3.4"),
        ("error: maximum authentication attempts exceeded for root from 1.2.3.4 port 1 ssh2 [preauth]", "1.2.3.4"),
        ("Connection closed by authenticating user 9.9.9.9 port 1 1.2.3.4 port 4711 [preauth]", "1.2.3.4"),
        ("Connection closed by 1.2.3.4 port 4711 [preauth]", ""),
        ("Disconnecting invalid user x 1.2.3.4 port 4711: Too many authentication failures [preauth]", "1.2.3.4"),
        ("User x from 9.9.9.9 not allowed because y from 1.2.3.4 not allowed because not in any group", "1.2.3.4"),
        ("User x from host.example not allowed because not listed in AllowUsers", ""),
        ("Received disconnect from 1.2.3.4 port 1:11: Failed password for x from 9.9.9.9 port 1 ssh2", ""),
        ("Unable to negotiate with 1.2.3.4 port 1: no match. Their offer: from 9.9.9.9 port 1 ssh2", ""),
        ("Accepted password for root from 1.2.3.4 port 4711 ssh2", ""),
        ("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=1.2.3.4", ""),
        ("message repeated 5 times: [ Failed password for root from 1.2.3.4 port 4711 ssh2]", "1.2.3.4"),
    ],
)  # fmt: skip
def test_who_was_refused_by_sshd(said: str, address: str) -> None:
    found, weight = _counted(SshdReader(_reading()), f"Jan  5 10:00:00 host sshd[12]: {said}")
    assert found == address
    assert weight == (5 if said.startswith("message") else 1 if address else 0)


@pytest.mark.parametrize(
    "start",
    [
        "Jan  5 10:00:00 host sshd[12]: ", "Jan 5 10:00:00 host sshd-session[12]: ",
        "<38>Jan  5 10:00:00 host sshd[12]: ",
        "2026-01-05T11:00:00.123456+01:00 host sshd[12]: ", "<38>1 2026-01-05T10:00:00Z host sshd 12 - - ",
        "2026-01-05 10:00:00,123 host sshd[12]: ", "Jan  5 10:00:00 [sshd]: ",
        "Jan  5 10:00:00 <4.3> host sshd[12]: ", "Jan  5 10:00:00 <auth.info> host sshd[12]: ",
    ],
)  # fmt: skip
def test_every_form_of_syslog_is_read(start: str) -> None:
    event = SshdReader(_reading()).event(1, f"{start}Failed password for root from 1.2.3.4 port 4711 ssh2")
    assert event is not None
    assert not isinstance(event, Skipped)
    assert event.observed.replace(microsecond=0) == datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("rhost=1.2.3.4  user=root", "1.2.3.4"),
        ("rhost=1.2.3.4 ", "1.2.3.4"),
        ("rhost=1.2.3.4  user=x rhost=9.9.9.9", "1.2.3.4"),
        ("rhost=crawler.example", ""),
        ("rhost=", ""),
    ],
)
def test_what_pam_says_counts_where_sshd_says_nothing(told: str, address: str) -> None:
    said = f"authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= {told}"
    counted = int(bool(address))
    assert _counted(SshdReader(_reading()), f"Jan  5 10:00:00 h sshd(pam_unix)[19]: {said}") == (address, counted)
    assert _counted(SshdReader(_reading()), f"Jan  5 10:00:00 h sshd[19]: pam_unix(sshd:auth): {said}") == ("", 0)


def test_one_attempt_counts_once_however_many_lines_tell_of_it() -> None:
    reader = SshdReader(_reading())
    lines = [
        "Invalid user a from 1.2.3.4 port 4711",
        "Failed password for invalid user a from 1.2.3.4 port 4711 ssh2",
        "Failed password for invalid user a from 1.2.3.4 port 4711 ssh2",
        "error: maximum authentication attempts exceeded for invalid user a from 1.2.3.4 port 4711 ssh2 [preauth]",
        "Connection closed by invalid user a 1.2.3.4 port 4711 [preauth]",
    ]
    weights = [_counted(reader, f"Jan  5 10:00:00 host sshd[7]: {text}")[1] for text in lines]
    assert weights == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("bits", "network", "levels"),
    [
        (64, "2a00:1:2:3::%x", ["", "", *["LOW"] * 7, "MEDIUM", "MEDIUM"]),
        (128, "2a00:1:2:3::%x", [""] * 11),
        (64, "2a00:1:2:%x::1", [""] * 11),
        (56, "2a00:1:2:%x::1", ["", "", "LOW"]),
    ],
)
def test_who_changes_the_address_within_a_64_is_counted(bits: int, network: str, levels: list[str]) -> None:
    reader = SshdReader(Reading(now=NOW, source="x", ipv6_prefix=bits))
    said = []
    for number in range(len(levels)):
        address = network % (number + 1)
        line = f"Jan  5 10:00:{number:02} host sshd[{number}]: Failed password for root from {address} port 5 ssh2"
        found = reader.record(1, line)
        said.append(str(found.level) if isinstance(found, Claim) else "")
        if isinstance(found, Claim):
            assert found.address == address
            assert found.message == f"{number + 1} refused SSH sign-ins within an hour by its IPv6 network"
    assert said == levels


def test_many_user_names_mean_high_before_a_hundred_attempts(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    line = "Jan  5 10:00:%02d host sshd[%d]: Failed password for invalid user u%d from 1.2.3.4 port 5000 ssh2\n"
    path.write_text("".join(line % (n, n, n) for n in range(20)))
    with open_source_input(str(path)) as source:
        claims = [claim for part in source.pieces(_reading()) for claim in part.claims if isinstance(claim, Signal)]
    assert [str(claim.level) for claim in claims] == ["LOW", "MEDIUM", "HIGH"]
    assert claims[-1].message == "20 user names tried over SSH within an hour"
    assert claims[-1].expires == claims[-1].observed + timedelta(hours=72)


@pytest.mark.parametrize(
    ("line", "address", "points"),
    [
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET /x HTTP/1.1" 404 1 "-" "a"', "1.2.3.4", 1),
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 1 "-" "a"', "", 0),
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET /.env HTTP/1.1" 200 1', "1.2.3.4", 10),
        ('2a00::5 - u [x [05/Jan/2026:10:00:00 +0000] "GET /\\"9.9.9.9 HTTP/1.1" 401 - "-" "a"', "2a00::5", 1),
        ('www.example.com:443 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "1.2.3.4", 1),
        ('9.9.9.9, 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "1.2.3.4", 1),
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "\\x16\\x03" 400 1 "-" "a"', "1.2.3.4", 1),
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a" "9.9.9.9"', "1.2.3.4", 1),
        ('Jan  5 10:00:00 h nginx[1]: 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1', "1.2.3.4", 1),
        ('<190>Jan  5 10:00:00 h nginx: 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1', "1.2.3.4", 1),
        ('2026-01-05T10:00:00Z h n[1]: 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1', "1.2.3.4", 1),
        ('<1>1 2026-01-05T10:00:00Z h n - - - 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / H" 403 1', "1.2.3.4", 1),
        ('2026-01-05T10:00:00.1Z stdout F 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / H" 403 1', "1.2.3.4", 1),
        ('1.2.3.4:51234 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "1.2.3.4", 1),
        ('1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET /.env HTTP/1.1" - - "-" "-" 5 "-" "-" 0ms', "1.2.3.4", 10),
        ('a 9.9.9.9 b, 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "", 0),
        ('9.9.9.9 - -, 1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "", 0),
        ('1.2.3.4 - cn=a, ou=b [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "1.2.3.4", 1),
        ('crawler.example - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"', "", 0),
    ],
)  # fmt: skip
def test_who_was_refused_a_request(line: str, address: str, points: int) -> None:
    assert _counted(_reader("web-access"), line) == (address, points)


@pytest.mark.parametrize(
    "line",
    [
        '10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a" "9.9.9.9, 1.2.3.4"',
        '1.2.3.4, 10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"',
        'shop.example:443 9.9.9.9, 1.2.3.4, 10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"',
        '9.9.9.9, 1.2.3.4, 10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a"',
        '1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 1 "-" "a" "9.9.9.9"',
    ],
)
def test_behind_our_proxies_the_client_is_counted_and_not_what_it_says_of_itself(line: str) -> None:
    reading = Reading(now=NOW, source="x", guard=guard_of(trusted_proxies=["10.0.0.0/8"]))
    assert _counted(_reader("web-access", reading), line) == ("1.2.3.4", 1)


@pytest.mark.parametrize(
    ("line", "address", "points"),
    [
        ("[Sun Jan 04 07:45:45 2026] [error] [client 1.2.3.4] File does not exist: /[client 9.9.9.9] x", "1.2.3.4", 1),
        ("[Sun Jan 04 07:45:45.1 2026] [core:error] [pid 1:tid 2] [client 1.2.3.4] File does not exist", "1.2.3.4", 1),
        ("[Sun Jan 04 07:45:45.1 2026] [core:error] [pid 1:tid 2] [client 2a00::5:443] AH1: x", "2a00::5", 1),
        ("[Sun Jan 04 07:45:45.1 2026] [:error] [pid 1] [client 1.2.3.4:9] ModSecurity: Access denied", "1.2.3.4", 10),
        ("[Sun Jan 04 07:45:45.1 2026] [:error] [pid 1] [remote 10.0.0.1:0] [client 2a00::5] AH1: x", "2a00::5", 1),
        ("[Sun Jan 04 07:45:45 2026] [notice] [client 1.2.3.4] x", "", 0),
        ("Jan  4 07:45:45 h httpd[1]: [Sun Jan 04 07:45:45.1 2026] [core:error] [client 1.2.3.4] x", "1.2.3.4", 1),
        ("Jan  4 07:45:45 h httpd/a[1]: [authz_core:error] [pid 1:tid 2] [client 1.2.3.4:5] AH1: x", "1.2.3.4", 1),
        ("Jan  4 07:45:45 h cups[1]: [error] [client 1.2.3.4] x", "", 0),
        ("[Sun Jan 04 07:45:45 2026] [error] mod_jk child [client 9.9.9.9]", "", 0),
    ],
)  # fmt: skip
def test_whom_apache_refused(line: str, address: str, points: int) -> None:
    assert _counted(_reader("apache-errors"), line) == (address, points)


def test_a_line_of_nginx_that_names_two_clients_is_left() -> None:
    start = (
        '2026/01/05 10:00:00 [error] 1#1: *6 user "%s": password mismatch, client: 1.2.3.4, server: x, request: "%s"'
    )
    reader = _reader("nginx-errors")
    assert _counted(reader, start % ("a", "GET / HTTP/1.1")) == ("1.2.3.4", 1)
    assert _counted(reader, start % ("a, client: 9.9.9.9, server: ", "GET / HTTP/1.1")) == ("", 0)
    assert _counted(reader, start % ("a", 'GET /", client: 9.9.9.9, server: x, request: "')) == ("", 0)


def test_a_line_of_nginx_that_was_cut_off_may_have_lost_its_client() -> None:
    """A path may be of any length, and hold what looks like a client: what nginx appends is cut off at 2048 bytes."""
    path = ", client: 9.9.9.9, server: " + "\u00e9" * 2048
    cut = f'2026/01/05 10:00:00 [error] 1#1: *6 open() "/srv/{path}" failed, client: 1.2.3.4, '.encode()[:2047]
    reader = _reader("nginx-errors")
    for before in ("", "<171>Jan  5 10:00:00 h nginx: "):
        assert _counted(reader, before + cut.decode(errors="replace")) == ("", 0)


@pytest.mark.parametrize("before", ["<171>1 2026-01-05T10:00:00Z h nginx - - - ", "<171>Jan  5 10:00:00 h nginx: ", ""])
def test_what_carries_a_line_of_nginx_tells_nothing_of_it(before: str) -> None:
    line = f"{before}2026/01/05 10:00:00 [error] 1#1: *6 open() failed, client: 1.2.3.4, server: , request: x"
    assert _counted(_reader("nginx-errors"), line) == ("1.2.3.4", 1)


def test_a_container_of_a_web_server_has_requests_and_errors_in_one_log(tmp_path: Path) -> None:
    request = '1.2.3.4 - - [05/Jan/2026:10:00:00 +0000] "GET /.env HTTP/1.1" 404 1 "-" "a"\n'
    error = "2026/01/05 10:00:00 [error] 1#1: *6 open() failed, client: 1.2.3.4, server: , request: x\n"
    for lines, form in ((error + request * 2, "web-access"), (error * 2 + request, "nginx-errors")):
        (tmp_path / "log").write_text(lines)
        with open_source_input(str(tmp_path / "log")) as source:
            assert source.form.name == form
            reader = source.form.reader(_reading())
            assert isinstance(reader, CountedReader)
            counted = [_counted(reader, line) for line in lines.splitlines()]
        assert counted == [("1.2.3.4", 10 if line + "\n" == request else 1) for line in lines.splitlines()]


def test_an_alert_that_goes_on_in_the_next_portion_is_not_broken() -> None:
    reading = Reading(now=NOW, source="x", goes_on=True)
    reader = format_named("snort-full").reader(reading)
    assert reader.read(Block(range(1, 3), ["[**] [1:469:3] X [**]", "[Priority: 2]"], 0)).claims == []
    assert reader.end() == (0, [], [])
    rest = ["01/05-10:00:00.1 1.2.3.4 -> 10.0.0.5", "ICMP TTL:64"]
    assert len(format_named("snort-full").reader(reading).read(Block(range(3, 5), rest, 0)).claims) == 1


def _claims(form: str, text: str, **more: object) -> list[Claim]:
    reader = format_named(form).reader(Reading(now=NOW, source="x", **more))  # type: ignore[arg-type]
    assert hasattr(reader, "record")
    claim = reader.record(1, text)
    return [claim] if isinstance(claim, Claim) else []


@pytest.mark.parametrize(
    ("line", "address", "level", "at"),
    [
        (r"CEF:0|A|B\|c|1|2|n\\|10|src=1.2.3.4 msg=src\=9.9.9.9 x rt=1767607200000", "1.2.3.4", "HIGH", "10:00"),
        ("Jan  5 09:00:00 h CEF:0|A|B|1|2|n|Medium|src=1.2.3.4 rt=Jan 05 2026 10:00:00", "1.2.3.4", "MEDIUM", "10:00"),
        ("CEF:0|A|B|1|2|n|Low|c6a2=2a00::5 c6a2Label=Source IPv6 Address", "2a00::5", "LOW", "12:00"),
        ("CEF:0|A|B|1|2|n|0|src=1.2.3.4", "", "", ""),
        ("CEF:0|A|B|1|2|n|5|msg=src\\=9.9.9.9", "", "", ""),
        ("CEF:0|A|B|1|2", "", "", ""),
    ],
)  # fmt: skip
def test_cef_with_its_escapes_and_times(line: str, address: str, level: str, at: str) -> None:
    claims = _claims("cef", line)
    assert [(claim.address, str(claim.level), f"{claim.observed:%H:%M}") for claim in claims] == (
        [(address, level, at)] if address else []
    )


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("2026-01-05 10:00:00,584 fail2ban.actions        [9]: NOTICE  [sshd] Ban 1.2.3.4", "1.2.3.4"),
        ("2026-01-05 10:00:00,584 fail2ban.actions        [9]: NOTICE  [sshd] Restore Ban 1.2.3.4", "1.2.3.4"),
        ("2026-01-05 10:00:00,584 fail2ban.actions        [9]: NOTICE  [sshd] Unban 1.2.3.4", ""),
        ("2026-01-05 10:00:00,584 fail2ban.actions        [9]: WARNING [sshd] 1.2.3.4 already banned", ""),
        (
            "2026-01-05 10:00:00,584 fail2ban.filter         [9]: INFO    [sshd] Found 1.2.3.4 - x [sshd] Ban 9.9.9.9",
            "",
        ),
    ],
)
def test_only_a_ban_of_fail2ban_is_a_verdict(line: str, address: str) -> None:
    assert [claim.address for claim in _claims("fail2ban-log", line)] == ([address] if address else [])


def test_a_ban_that_grows_tells_its_end_and_the_third_is_high() -> None:
    line = (
        "2026-01-05 10:00:00,584 fail2ban.observer       [9]: NOTICE  [sshd] Increase Ban 1.2.3.4 "
        "(3 # 4:00:00 -> 2026-01-05 14:00:00)"
    )
    (claim,) = _claims("fail2ban-log", line)
    assert (claim.level, claim.expires) == (RiskLevel.HIGH, datetime(2026, 1, 5, 14, 0, tzinfo=UTC))
    assert claim.message == "fail2ban sshd ban number 3"
    (claim,) = _claims("fail2ban-log", line, levels={"sshd": RiskLevel.LOW})
    assert claim.level is RiskLevel.LOW


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("syslog", "Dec 10 06:55:46", "2025-12-10T06:55:46"),
        ("syslog", "Jan  5 06:55:46", "2026-01-05T06:55:46"),
        ("syslog", "Feb 29 06:55:46", "2024-02-29T06:55:46"),
        ("clf", "10/Oct/2023:08:32:31 +0200", "2023-10-10T06:32:31"),
        ("ctime", "Sun Dec 04 04:47:44.123456 2005", "2005-12-04T04:47:44.123456"),
        ("nginx", "2012/04/09 11:53:29", "2012-04-09T11:53:29"),
    ],
)
def test_times_of_logs(form: str, text: str, expected: str) -> None:
    found = compile_time((form,), UTC, NOW)(text)
    assert found.astimezone(UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_zeek_tells_how_it_is_written_and_may_change_its_mind(tmp_path: Path) -> None:
    path = tmp_path / "notice.log"
    path.write_text(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tnotice\n"
        "#fields\tts\tsrc\tnote\tmsg\tactions\n#types\ttime\taddr\tenum\tstring\tset[enum]\n"
        "1767607200.5\t1.2.3.4\tSSH::Password_Guessing\ta\\x09b\\\\c\tA,B\\x2cC\n"
        "1767607200.5\t-\tSSH::Password_Guessing\t(empty)\t(empty)\n"
        "too\tfew\n"
        "#close\t2026-01-05\n"
        "#fields\tnote\tsrc\tts\n#types\tenum\taddr\ttime\n"
        "Scan::Port_Scan\t1.2.3.5\t1767607200\n"
    )
    with open_source_input(str(path)) as source:
        (block,) = source.form.records(source.opened)
    assert block.records[0]["msg"] == "a\tb\\c"
    assert block.records[0]["actions"] == ["A", "B,C"]
    assert block.records[1] == {"ts": "1767607200.5", "note": "SSH::Password_Guessing", "msg": "", "actions": []}
    with open_source_input(str(path)) as source:
        parts = list(source.pieces(_reading()))
    claims = [claim for part in parts for claim in part.claims if isinstance(claim, Signal)]
    assert [(claim.ip, str(claim.level)) for claim in claims] == [("1.2.3.4", "HIGH"), ("1.2.3.5", "LOW")]
    reasons = [one.reason for part in parts for one in part.skipped]
    assert sorted(reasons) == [SkipReason.NO_ADDRESS, SkipReason.NOT_A_RECORD]


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("01/05-10:00:00.5 [**] [1:2:3] \"x [**] y\" [**] [Priority: 1] {TCP} 1.2.3.4:5 -> 10.0.0.1:22", "1.2.3.4"),
        ("01/05/26-10:00:00.5  [Drop] [**] [1:2:3] x [**] [Priority: 2] {TCP} 2a00::5:443 -> ::1:22", "2a00::5"),
        ("01/05/2026-10:00:00.5  [**] [1:2:3] x [**] [Priority: 3] {ICMP} 1.2.3.4:8 -> 10.0.0.1:0", "1.2.3.4"),
        ("01/05/2026-10:00:00.5  [**] [1:2:3] x [**] [Priority: 3] {IPV6-ICMP} 2a00::5:8 -> ::1:0", ""),
        ("01/05/2026-10:00:00.5  [**] [1:2:3] x [**] [Priority: 4] {TCP} 1.2.3.4:8 -> 10.0.0.1:0", ""),
    ],
)  # fmt: skip
def test_one_line_alerts(line: str, address: str) -> None:
    assert [claim.address for claim in _claims("fast-alerts", line)] == ([address] if address else [])


def _bans(path: Path, *rows: tuple[object, ...]) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE fail2banDb(version INTEGER)")
    db.execute("CREATE TABLE bans(jail TEXT, ip TEXT, timeofban INTEGER, bantime INTEGER, bancount INTEGER, data JSON)")
    db.executemany("INSERT INTO bans VALUES (?, ?, ?, ?, ?, x'7b7d')", rows)
    return db


def test_a_database_is_read_while_fail2ban_writes_and_a_ban_for_ever_is_capped(tmp_path: Path) -> None:
    path, at = tmp_path / "fail2ban.sqlite3", int(NOW.timestamp()) - 60
    rows = [("sshd", "1.2.3.4", at, -1, 1), ("sshd", "1.2.3.5", at, 3600, 3), ("recidive", "host.example", at, 600, 1)]
    with closing(_bans(path, *rows, ("sshd", None, at, 600, 1))) as db:
        db.execute("BEGIN IMMEDIATE")  # fail2ban is about to write
        before = sorted(tmp_path.iterdir())
        with open_source_input(str(path)) as source:
            assert source.form.name == "fail2ban-sqlite"
            (part, _) = source.pieces(_reading())
        assert sorted(tmp_path.iterdir()) == before
        db.execute("ROLLBACK")
    claims = [claim for claim in part.claims if isinstance(claim, Signal)]
    assert [(claim.ip, str(claim.level), claim.expires - claim.observed) for claim in claims] == [
        ("1.2.3.4", "MEDIUM", timedelta(days=90)),
        ("1.2.3.5", "HIGH", timedelta(hours=1)),
    ]
    assert [str(one.reason) for one in part.skipped] == ["no_address"] * 2, "a host by its name, and nobody"


def test_a_packed_database_is_unpacked_first(tmp_path: Path) -> None:
    with closing(_bans(tmp_path / "plain", ("sshd", "1.2.3.4", int(NOW.timestamp()) - 60, 3600, 1))) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    with open_source_input(str(tmp_path / "packed")) as source:
        parts = list(source.pieces(_reading()))
    assert [claim.ip for part in parts for claim in part.claims] == ["1.2.3.4"]


def test_sshd_is_known_in_a_log_that_others_began(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    other = "Jan  5 10:00:00 host CRON[1]: pam_unix(cron:session): session opened for user root\n"
    path.write_text(
        other * 200 + "Jan  5 10:00:00 host sshd[12]: Failed password for root from 1.2.3.4 port 4711 ssh2\n"
    )
    with open_source_input(str(path)) as source:
        assert source.form.name == "sshd"
