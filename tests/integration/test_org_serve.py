"""`tocsin serve`, `token` and `check` as a user runs them: starting, stopping, and everything that can be wrong."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from support.org import OrgProcess, event, send
from support.process import tocsin

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_and_knows_everything_at_the_next_start(tmp_path: Path, number: int) -> None:
    data = tmp_path / "data"
    with OrgProcess(data) as org:
        token = org.token()
        with org.client(token) as client:
            send(client, event(("203.0.113.9", "HIGH")))
        assert org.stop(number) == 0
    assert org.log.read_text() == ""
    assert (data / "index.boot").read_bytes() == b""
    with OrgProcess(data) as org, org.client(token) as client:
        assert client.get("/risk/v1/ips/203.0.113.9").json()["level"] == "HIGH"


def test_the_folder_is_for_its_owner_alone(org: OrgProcess) -> None:
    org.token()
    assert org.data.stat().st_mode & 0o777 == 0o700
    for path in org.data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_token_made_while_the_org_runs_is_known_at_once(org: OrgProcess) -> None:
    with org.client(org.token("first")) as client:
        assert client.get("/api/v1/risk/providers").status_code == 200
    again = tocsin("token", "create", "first", "--data", str(org.data))
    assert (again.returncode, again.stdout) == (1, "")
    assert "a token named 'first'" in again.stderr


def test_other_processes_that_come_and_go_leave_the_org_its_files(org: OrgProcess) -> None:
    """Seen: a lock dropped by the org let each of them remove the write-ahead log the org went on using."""
    with org.client(org.token("first")) as client:
        assert client.get("/api/v1/risk/providers").status_code == 200
        inode = (org.data / "directory.db-wal").stat().st_ino
        for name in ("second", "third"):
            with org.client(org.token(name)) as other:
                created = other.post("/api/v1/risk/providers", json={"name": name, "clientId": "c"})
                assert created.status_code == 201
        assert client.get("/risk/v1/ips/203.0.113.9?after=6").json()["cursor"] == 6
        assert (org.data / "directory.db-wal").stat().st_ino == inode
    assert org.stop() == 0
    assert org.log.read_text() == ""


def test_a_token_made_before_the_first_start_is_known(tmp_path: Path) -> None:
    made = tocsin("token", "create", "early", "--data", str(tmp_path / "data"))
    token = made.stdout.removesuffix("\n")
    assert len(token) == 42
    assert token.startswith("00")
    assert token.isalnum()
    with OrgProcess(tmp_path / "data") as org, org.client(token) as client:
        assert client.get("/api/v1/risk/providers").json()[0]["name"] == "Default"


def test_no_file_holds_a_token(org: OrgProcess) -> None:
    token = org.token().encode()
    assert not [path for path in org.data.rglob("*") if path.is_file() and token in path.read_bytes()]


def test_a_folder_is_served_once(org: OrgProcess) -> None:
    refuses(tocsin("serve", "--data", str(org.data), "--port", "0"), "already served by another process")


def test_a_taken_port(org: OrgProcess, tmp_path: Path) -> None:
    port = org.url.rpartition(":")[2]
    refuses(tocsin("serve", "--data", str(tmp_path / "other"), "--port", port), "the port is taken")


def test_a_port_that_something_else_has_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refuses(tocsin("serve", "--data", str(tmp_path / "data"), "--port", port), "the port is taken")


@pytest.mark.parametrize(("host", "why"), [("192.0.2.1", "not one of this machine"), ("nowhere.invalid", "not known")])
def test_a_host_that_is_not_ours(tmp_path: Path, host: str, why: str) -> None:
    refuses(tocsin("serve", "--data", str(tmp_path / "data"), "--host", host, "--port", "0"), why)


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    refuses(tocsin("serve", "--data", str(tmp_path), "--port", "0"), "is not a data folder of an org")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "marker.json").write_text('{"kind":"tocsin-org","format":99}')
    refuses(tocsin("serve", "--data", str(tmp_path), "--port", "0"), "written by a newer version")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refuses(tocsin("serve", "--data", str(tmp_path / "file"), "--port", "0"), "not a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refuses(tocsin("serve", "--data", str(tmp_path / "data"), "--port", "0"), "no permission")


def test_listening_for_everybody_is_warned_about(tmp_path: Path) -> None:
    with OrgProcess(tmp_path / "data", "--host", "0.0.0.0") as org:
        assert org.stop() == 0
    assert "listening.beyond_this_machine" in org.log.read_text()


def test_projections_that_were_deleted_are_made_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with OrgProcess(data) as org:
        token = org.token()
        with org.client(token) as client:
            send(client, event(("203.0.113.9", "HIGH")))
        org.stop()
    for name in ("directory.db", "index/data.mdb", "index/lock.mdb"):
        (data / name).unlink()
    with OrgProcess(data) as org, org.client(token) as client:
        assert client.get("/risk/v1/ips/203.0.113.9").json()["level"] == "HIGH"


def test_an_index_that_was_in_use_when_the_machine_went_down_is_made_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with OrgProcess(data) as org:
        token = org.token()
        with org.client(token) as client:
            send(client, event(("203.0.113.9", "HIGH")))
        org.stop()
    (data / "index" / "data.mdb").write_bytes(b"torn")
    (data / "index.boot").write_text("another boot")
    with OrgProcess(data) as org, org.client(token) as client:
        assert client.get("/risk/v1/ips/203.0.113.9").json()["level"] == "HIGH"


def test_check_reads_the_folder_while_the_org_runs_and_after(org: OrgProcess) -> None:
    with org.client(org.token()) as client:
        seq = send(client, event(("203.0.113.9", "HIGH"), ("2001:db8::1", "LOW")))
    running = tocsin("check", "203.0.113.9", "2001:DB8:0::1", "198.51.100.1", "--data", str(org.data), "--json")
    views = [json.loads(line) for line in running.stdout.splitlines()]
    assert [view["ip"] for view in views] == ["203.0.113.9", "2001:db8::1", "198.51.100.1"]
    assert [view["level"] for view in views] == ["HIGH", "LOW", None]
    assert views[1]["providers"][0]["journal"] == {"seq": seq, "event": 0, "subject": 1}
    org.stop()
    stopped = tocsin("check", "203.0.113.9", "--data", str(org.data))
    assert "203.0.113.9  HIGH (enforced: none)" in stopped.stdout
    assert f"journal {seq}, event 0, subject 0" in stopped.stdout


def test_check_asks_a_running_org(org: OrgProcess, tmp_path: Path) -> None:
    token = org.token()
    with org.client(token) as client:
        seq = send(client, event(("203.0.113.9", "HIGH")))
        assert client.get(f"/risk/v1/ips/203.0.113.9?after={seq}").json()["level"] == "HIGH"
    (tmp_path / "token").write_text(token + "\n")
    by_file = tocsin("check", "203.0.113.9", "--to", org.url, "--token-file", str(tmp_path / "token"))
    assert "203.0.113.9  HIGH" in by_file.stdout
    by_variable = tocsin("check", "203.0.113.9", "--to", org.url, env={"TOCSIN_TOKEN": token})
    assert by_variable.stdout == by_file.stdout


def test_check_refuses_in_one_line(org: OrgProcess, tmp_path: Path) -> None:
    wrong = {"TOCSIN_TOKEN": "00wrong"}
    refuses(tocsin("check", "1.2.3.4", "--to", org.url, env=wrong), "answered 401")
    refuses(tocsin("check", "1.2.3.4", "--to", org.url), "no token")
    refuses(
        tocsin("check", "1.2.3.4", "--to", "http://risk.example", env=wrong),
        "over plain http, so the credential was not sent",
    )
    refuses(tocsin("check", "1.2.3.4", "--to", "http://127.0.0.1:1", env=wrong), "refuses connections")
    refuses(tocsin("check", "1.2.3.0/24", "--data", str(org.data)), "is a network")
    refuses(tocsin("check", "1.2.3.4", "--data", str(tmp_path / "none")), "there is none")
    assert not (tmp_path / "none").exists()


def test_check_shows_the_token_to_no_proxy(org: OrgProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), f"http://127.0.0.1:{proxy.getsockname()[1]}")
        asked = tocsin("check", "1.2.3.4", "--to", org.url, env={"TOCSIN_TOKEN": org.token(), **proxies})
        assert (asked.returncode, asked.stdout) == (0, "1.2.3.4  nothing is known, policy: allow (default)\n")
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def refuses(ended: object, why: str) -> None:
    """One line that says why, perhaps a hint, exit code 1, nothing on standard output."""
    code, out, err = (getattr(ended, name) for name in ("returncode", "stdout", "stderr"))
    assert (code, out) == (1, ""), err
    lines = err.splitlines()
    assert why in lines[0]
    assert lines[0].startswith("tocsin: ")
    assert all(line.startswith("  hint: ") for line in lines[1:])
    assert len(lines) <= 2
