"""`tocsin send` as people run it, against a real org in a process of its own."""

import gzip
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.org import OrgProcess
from support.process import tocsin

pytestmark = pytest.mark.slow


@pytest.fixture
def org(tmp_path: Path) -> Iterator[OrgProcess]:
    with OrgProcess(tmp_path / "org") as org:
        yield org


def _list(folder: Path, count: int) -> Path:
    """An ipsum list of so many addresses, the most dangerous in the middle."""
    path = folder / "list.txt.gz"
    rows = [f"198.18.{n // 250}.{n % 250}\t{9 if n == count // 2 else 2 + n % 3}" for n in range(count)]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


def _level(org: OrgProcess, token: str, ip: str) -> str | None:
    with org.client(token) as client:
        answer = client.get(f"/risk/v1/ips/{ip}")
        assert answer.status_code == 200, answer.text
        level: str | None = answer.json()["level"]
        return level


def test_a_list_arrives_whole_in_full_requests_and_can_be_looked_up(org: OrgProcess, tmp_path: Path) -> None:
    token = org.token()
    run = tocsin(
        "send", str(_list(tmp_path, 2600)), "--to", org.url, "--allow-non-global", "--json", env={"TOCSIN_TOKEN": token}
    )
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert (summary["delivered"], summary["requests"], summary["retries"], summary["left"]) == (2600, 3, 0, 0)
    check = tocsin("check", "198.18.5.50", "--data", str(org.data), "--json")
    assert check.returncode == 0, check.stderr
    assert '"HIGH"' in check.stdout.replace(" ", "")
    assert _level(org, token, "198.18.0.1") == "MEDIUM"


def test_a_wrong_token_is_one_clear_line_and_not_repeated(org: OrgProcess, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("00wrongwrongwrongwrongwrongwrongwrongwrong\n")
    path = str(_list(tmp_path, 10))
    run = tocsin("send", path, "--to", org.url, "--allow-non-global", "--token-file", str(token_file))
    assert run.returncode == 1
    assert "has stopped: it answered 401: Invalid token provided" in run.stderr
    assert "not delivered 10: mend what stopped it first, then the same command again goes on from here" in run.stdout
    assert "00wrong" not in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.waits
def test_what_someone_else_used_of_the_window_is_respected(tmp_path: Path) -> None:
    """The org has one request left: the rest waits for the next window, and nothing is answered 429."""
    with OrgProcess(tmp_path / "org", "--requests-per-minute", "2") as org:
        token = org.token()
        env = {"TOCSIN_TOKEN": token}
        first = tocsin("send", str(_list(tmp_path, 5)), "--to", org.url, "--allow-non-global", env=env)
        assert first.returncode == 0, first.stderr
        command = [sys.executable, "-m", "tocsin", "send"]
        arguments = [str(_list(tmp_path, 2600)), "--to", org.url, "--allow-non-global"]
        with subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | env
        ) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            seen = _read_until(process.stderr.fileno(), b"waiting ")
            for number in (signal.SIGINT, signal.SIGTERM):  # the second one comes while the first is being obeyed
                process.send_signal(number)
            out = process.stdout.read().decode()
            assert process.wait(10) == 130
            assert process.stderr.read() == b""
        assert "the window is used up; 1,000 of 2,600 IPs delivered" in seen
        assert "delivered 1,000 IPs" in out
        assert "with 1 request in" in out
        assert "not delivered 1,600: the same command again goes on from here" in out
    # The same command again, when the org has room: what it has is not sent again, and then nothing is remembered.
    with OrgProcess(tmp_path / "org", "--requests-per-minute", "100", port=int(org.url.rpartition(":")[2])) as org:
        run = tocsin("send", *arguments, "--json", env=env)
        assert run.returncode == 0, run.stderr
        summary = json.loads(run.stdout)
        assert (summary["subjects"], summary["delivered"], summary["requests"], summary["left"]) == (1600, 1600, 2, 0)
        assert list((Path(os.environ["XDG_STATE_HOME"]) / "tocsin" / "send").iterdir()) == []


def test_a_state_folder_remembers_what_was_sent_for_next_time(org: OrgProcess, tmp_path: Path) -> None:
    env, path = {"TOCSIN_TOKEN": org.token()}, tmp_path / "list.txt"
    arguments = [str(path), "--to", org.url, "--allow-non-global", "--state", str(tmp_path / "state"), "--json"]
    delivered = []
    for rows in ("198.18.0.1\t9\n198.18.0.2\t9\n", "198.18.0.1\t9\n198.18.0.2\t9\n", "198.18.0.1\t2\n198.18.0.3\t9\n"):
        path.write_text(rows)
        run = tocsin("send", *arguments, env=env)
        assert run.returncode == 0, run.stderr
        delivered.append(json.loads(run.stdout)["delivered"])
    # Nothing is new the second time; then one is lowered, one is new, and one is let go.
    assert delivered == [2, 0, 3]
    again = tocsin("send", *arguments[:-1], env=env).stdout
    assert again.startswith(f"nothing was sent: all of it was told before, or decided about, as {tmp_path}/state ")


def _read_until(descriptor: int, text: bytes) -> str:
    seen = b""
    while text not in seen or not seen.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, seen
        piece = os.read(descriptor, 4096)
        assert piece, seen
        seen += piece
    return seen.decode()
