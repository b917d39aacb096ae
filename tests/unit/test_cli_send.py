"""The parts of `tocsin send` that need no org."""

import json
import os
from pathlib import Path

import pytest

from support.faulty_org import faulty_org
from support.process import tocsin

LISTED = '{"ip":"198.51.100.%d","riskLevel":"%s"}\n'
pytestmark = pytest.mark.slow


def _list(folder: Path, text: str) -> str:
    path = folder / "signals.jsonl"
    path.write_text(text)
    return str(path)


def test_a_dry_run_needs_no_token_and_says_what_would_be_sent(tmp_path: Path) -> None:
    path = _list(tmp_path, "".join(LISTED % (number, "HIGH" if number < 3 else "LOW") for number in range(10)))
    run = tocsin("send", path, path, "--dry-run", "--allow-non-global", "--json")
    assert run.returncode == 0, run.stderr
    accounts = [json.loads(line) for line in run.stdout.splitlines()]
    assert accounts == 2 * [
        {
            "file": path,
            "format": "jsonl",
            "records": 10,
            "signals": 10,
            "by_level": {"HIGH": 3, "MEDIUM": 0, "LOW": 7},
            "coalesced": 0,
            "skipped": {},
            "quarantined": 0,
        }
    ]
    run = tocsin("send", path, path, "--dry-run", "--allow-non-global")
    assert "10 IPs (3 HIGH, 7 LOW): 1 request" in run.stdout


def test_addresses_left_out_by_rule_are_no_error(tmp_path: Path) -> None:
    run = tocsin("send", _list(tmp_path, LISTED % (1, "LOW")), "--dry-run")
    assert run.returncode == 0
    assert "skipped 1: not an address on the Internet" in run.stdout


def test_broken_lines_are_shown_with_their_place_and_counted(tmp_path: Path) -> None:
    path = _list(tmp_path, LISTED % (1, "LOW") + "\x1b[2J\n" * 8)
    run = tocsin("send", path, "--dry-run", "--format", "jsonl")
    assert run.returncode == 1
    assert f"{path}:2: " in run.stderr
    assert "and 3 more broken lines" in run.stderr
    assert "\x1b" not in run.stderr + run.stdout
    assert "skipped 8: broken: not a record of the format" in run.stdout


def test_an_old_list_says_how_to_send_it_nevertheless(tmp_path: Path) -> None:
    old = tmp_path / "ipsum.txt"
    old.write_text("# Last update: Sat, 22 Aug 2020 03:00:29 +0200\n8.8.8.8\t5\n")
    for more in ([], ["--json"]):
        run = tocsin("send", str(old), "--dry-run", *more)
        assert run.returncode == 0  # a dry run answers a question
        assert "all had expired" in run.stderr
        assert "--as-of now" in run.stderr
        assert "--as-of 2020-08-22T01:00:29Z" in run.stderr
    sent = tocsin("send", str(old), "--to", "http://127.0.0.1:1", env={"TOCSIN_TOKEN": "s3cret"})
    assert sent.returncode == 1
    assert "all had expired" in sent.stderr
    held = tocsin("send", str(old), "--dry-run", "--as-of", "2020-08-22T01:00:29Z")
    assert (held.returncode, held.stderr) == (0, "")
    assert tocsin("send", str(old), "--dry-run", "--as-of", "now").returncode == 0


def test_of_an_old_log_the_hint_names_a_time_at_which_it_says_something(tmp_path: Path) -> None:
    old = tmp_path / "auth.log"
    line = "2020-01-05T10:0%d:00.5+01:00 h sshd[%d]: Failed password for root from 8.8.8.8 port 51 ssh2\n"
    old.write_text("".join(line % (n, n) for n in range(3)))
    run = tocsin("send", str(old), "--dry-run")
    assert "--as-of now" not in run.stderr
    then = "2020-01-05T09:02:00Z"
    assert f"--as-of {then}" in run.stderr
    assert "1 signals (1 LOW)" in tocsin("send", str(old), "--dry-run", "--as-of", then).stdout


def test_as_of_is_not_advised_to_those_who_tried_it(tmp_path: Path) -> None:
    old = tmp_path / "eve.json"
    old.write_text(
        '{"timestamp":"2018-03-24T14:37:19.037299-0600","event_type":"alert","src_ip":"8.8.8.8",'
        '"dest_ip":"10.0.0.1","alert":{"signature":"scan","severity":2}}\n'
    )
    run = tocsin("send", str(old), "--dry-run", "--as-of", "now")
    assert run.returncode == 0
    assert "each record has a time of its own" in run.stderr
    assert "--as-of now" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.txt", "--dry-run"], "none.txt cannot be read: No such file or directory"),
        (["none.txt", "--to", "http://127.0.0.1:1"], "no token"),
        (["none.txt", "--dry-run", "--format", "csv"], "'csv' is no format"),
        (["none.txt", "--dry-run", "--format", "ipsun"], "hint: did you mean ipsum?"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(arguments: list[str], says: str) -> None:
    run = tocsin("send", *arguments)
    assert run.returncode == 1
    assert says in run.stderr
    assert "  hint: " in run.stderr
    assert "Traceback" not in run.stderr


AS_OF = ["none.txt", "--dry-run", "--as-of"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["none.txt"],
        [*AS_OF, "noon"],
        [*AS_OF, "9999-12-31T23:59:59Z"],
        [*AS_OF, "0001-01-01T00:00:00Z"],
        ["none.txt", "--dry-run", "--format", "ipsum", "--mapping", "mapping.toml"],
    ],
)
def test_wrong_usage_exits_2_and_names_the_option(arguments: list[str]) -> None:
    run = tocsin("send", *arguments)
    assert run.returncode == 2
    assert (arguments[-2] if len(arguments) > 1 else "--to") in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(("form", "hint"), [("ipsum", True), (None, False)])
def test_a_wrong_format_is_told_with_the_right_one(tmp_path: Path, form: str | None, hint: bool) -> None:
    path = _list(tmp_path, LISTED % (1, "LOW"))
    run = tocsin("send", path, "--dry-run", *(["--format", form] if form else []))
    assert ("by its content it is jsonl" in run.stderr) is hint
    assert ("by its content it is jsonl" in tocsin("explain", path, "--format", "ipsum").stdout) is True


@pytest.mark.parametrize(
    ("as_of", "records"),
    [("2018-03-24T20:37:20Z", 1), ("2018-03-24 14:37:20-06:00", 1), ("2018-03-25", 1), ("2018-03-24", 0)],
)
def test_a_day_is_a_time_too_and_begins_in_the_time_zone_that_is_named(
    as_of: str, records: int, tmp_path: Path
) -> None:
    old = tmp_path / "eve.json"
    old.write_text(
        '{"timestamp":"2018-03-24T14:37:19.037299-0600","event_type":"alert","src_ip":"8.8.8.8",'
        '"dest_ip":"10.0.0.1","alert":{"signature":"scan","severity":2}}\n'
    )
    run = tocsin("send", str(old), "--dry-run", "--as-of", as_of, "--timezone", "America/Denver", "--json")
    assert json.loads(run.stdout)["signals"] == records


def test_what_held_then_and_has_ended_since_is_said(tmp_path: Path) -> None:
    old, env = tmp_path / "ipsum.txt", {"TOCSIN_TOKEN": "s3cret"}
    old.write_text("# Last update: Sat, 22 Aug 2020 03:00:29 +0200\n8.8.8.8\t5\n")
    arguments = ["send", str(old), "--as-of", "2020-08-22T12:00:00Z"]
    planned = tocsin(*arguments, "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "not sent 1: held at the time of --as-of, and have expired since" in planned.stdout
    with faulty_org() as org:
        sent = tocsin(*arguments, "--to", org.url, env=env)
        assert (sent.returncode, org.arrived) == (1, [])
    assert "all have expired since" in sent.stderr
    assert "--as-of now takes" in sent.stderr


def test_nobody_listening_is_told_with_what_was_not_delivered(tmp_path: Path) -> None:
    path = _list(tmp_path, LISTED % (1, "HIGH"))
    env = {"TOCSIN_TOKEN": "s3cret-token"}
    run = tocsin("send", path, "--to", "http://127.0.0.1:1", "--allow-non-global", "--json", env=env)
    assert run.returncode == 1
    assert "refuses connections" in run.stderr
    summary = json.loads(run.stdout)
    assert (summary["delivered"], summary["left"], summary["requests"], summary["retries"]) == (0, 1, 3, 2)
    assert "s3cret-token" not in run.stdout + run.stderr
    assert os.linesep * 2 not in run.stderr


def test_the_formats_are_listed_with_examples() -> None:
    run = tocsin("formats")
    assert run.returncode == 0
    assert "203.0.113.5\t4" in run.stdout
    assert '"riskLevel":"HIGH"' in run.stdout


def test_what_an_org_refuses_is_kept_and_shown_until_a_person_decides(tmp_path: Path) -> None:
    path, env = _list(tmp_path, LISTED % (1, "HIGH") + LISTED % (2, "LOW") + "nonsense\n"), {"TOCSIN_TOKEN": "s3cret"}
    with faulty_org() as org:
        org.bad = {"198.51.100.2"}
        arguments = ["send", path, "--to", org.url, "--allow-non-global", "--format", "jsonl"]
        first = json.loads(tocsin(*arguments, "--json", env=env).stdout)
        assert (first["delivered"], first["quarantined"], [one["ip"] for one in first["refused"]]) == (
            1,
            1,
            ["198.51.100.2"],
        )
        requests = len(org.arrived)
        again = tocsin(*arguments, env=env)
        assert (again.returncode, len(org.arrived)) == (1, requests)
        assert "  198.51.100.2 LOW: it answered 400" in again.stdout
        folder = again.stdout.partition("--state ")[2].partition("`")[0]
        listed = tocsin("quarantine", "list", "--state", folder).stdout
        assert f"{path}  line 3: " in listed
        org.bad = set()
        id_ = next(line.split()[0] for line in listed.splitlines() if "198.51.100.2 LOW" in line)
        assert tocsin("quarantine", "retry", id_, "--state", folder).returncode == 0
        assert json.loads(tocsin(*arguments, "--json", env=env).stdout)["delivered"] == 1
    assert not Path(folder).exists()
