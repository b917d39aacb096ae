"""Unmodified bouncers of others against a running org: a Python one from the package index, a Go one from Debian."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pycrowdsec.client import QueryClient, StreamClient  # type: ignore[import-untyped]

from support.org import PROVIDERS, OrgProcess, event, send
from support.process import tocsin

pytestmark = pytest.mark.slow
BAD, BAD6, ODD = "203.0.113.9", "2001:db8::7", "198.51.100.4"
DEBIAN = "crowdsec-custom-bouncer"


@pytest.fixture
def enforcing(org: OrgProcess) -> OrgProcess:
    """An org that enforces what it is told."""
    with org.client(org.token()) as client:
        (default,) = client.get(PROVIDERS).json()
        client.put(f"{PROVIDERS}/{default['id']}", json={**default, "action": "enforce_and_log"})
        # Who pulls before that is applied is told of each IP afterwards what it is not, too.
        assert within(10, lambda: client.get("/readyz").json()["lag"] == 0)
    return org


def key_of(org: OrgProcess, name: str) -> str:
    made = tocsin("bouncer", "create", name, "--data", str(org.data))
    assert (made.returncode, made.stderr) == (0, "")
    (key,) = made.stdout.splitlines()  # alone on standard output, to be taken by a script
    return key


def say(org: OrgProcess, *subjects: tuple[str, str], name: str) -> None:
    with org.client(org.token(name)) as client:
        seq = send(client, event(*subjects))
        client.get(f"/risk/v1/ips/192.0.2.1?after={seq}")


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether `holds` comes true in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def test_pycrowdsec_asks_and_follows(enforcing: OrgProcess) -> None:
    say(enforcing, (BAD, "HIGH"), (BAD6, "HIGH"), (ODD, "MEDIUM"), name="a")
    url = enforcing.url + "/"
    query = QueryClient(api_key=key_of(enforcing, "query"), lapi_url=url)
    assert [query.get_action_for(ip) for ip in (BAD, BAD6, ODD)] == ["ban", "ban", "captcha"]
    assert query.get_decisions_for("192.0.2.1") is None
    stream = StreamClient(api_key=key_of(enforcing, "stream"), lapi_url=url)
    stream.cycle("true")
    assert stream.get_current_decisions() == {f"{BAD}/32": "ban", f"{BAD6}/128": "ban", f"{ODD}/32": "captcha"}
    say(enforcing, (BAD, "LOW"), (ODD, "HIGH"), name="b")
    enforcing.kill()
    with OrgProcess(enforcing.data, port=int(enforcing.url.rpartition(":")[2])):
        stream.cycle("false")
    assert [stream.get_action_for(ip) for ip in (BAD, BAD6, ODD)] == [None, "ban", "ban"]


@pytest.fixture(scope="module")
def custom_bouncer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's bouncer that runs a script, unpacked and not installed."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("not on Debian: its bouncer cannot be fetched")
    folder = tmp_path_factory.mktemp("debian")
    fetched = subprocess.run(["apt-get", "download", DEBIAN], cwd=folder, capture_output=True, check=False, timeout=60)
    packages = list(folder.glob("*.deb"))
    if fetched.returncode or not packages:
        pytest.skip(f"{DEBIAN} cannot be fetched from Debian's archive")
    subprocess.run(["dpkg", "-x", str(packages[0]), str(folder)], check=True)
    return folder / "usr" / "bin" / DEBIAN


@pytest.fixture
def debian_bouncer(enforcing: OrgProcess, custom_bouncer: Path, tmp_path: Path) -> Iterator[Path]:
    """It runs and writes what it is told to the file."""
    told, script, config = tmp_path / "told", tmp_path / "tell.sh", tmp_path / "bouncer.yaml"
    script.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {told}\n')
    script.chmod(0o700)
    told.touch()
    settings = {
        "bin_path": script,
        "piddir": tmp_path,
        "log_dir": tmp_path,
        "update_frequency": "1s",
        "cache_retention_duration": "1s",
        "daemonize": "false",
        "log_mode": "file",
        "log_level": "info",
        "api_url": enforcing.url + "/",
        "api_key": key_of(enforcing, "debian"),
        "prometheus": "{enabled: false}",
    }
    config.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
    environment = {**os.environ, "NOTIFY_SOCKET": ""}
    with subprocess.Popen([custom_bouncer, "-c", config], env=environment, stderr=subprocess.DEVNULL) as process:
        yield told
        process.terminate()


def test_a_bouncer_of_debian_adds_and_takes_back(enforcing: OrgProcess, debian_bouncer: Path) -> None:
    say(enforcing, (BAD, "HIGH"), (BAD6, "HIGH"), name="a")
    assert within(15, lambda: {f"add {BAD}", f"add {BAD6}"} <= actions(debian_bouncer))
    say(enforcing, (BAD, "LOW"), name="b")
    assert within(15, lambda: f"del {BAD}" in actions(debian_bouncer))
    assert f"del {BAD6}" not in actions(debian_bouncer)


def actions(told: Path) -> set[str]:
    return {" ".join(line.split()[:2]) for line in told.read_text().splitlines()}


def test_bouncers_are_listed_and_deleted_from_the_command_line(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    assert tocsin("bouncer", "create", "edge", *data).returncode == 0
    again = tocsin("bouncer", "create", "edge", *data)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("tocsin: there is a bouncer named 'edge' already\n")
    (line,) = tocsin("bouncer", "list", *data).stdout.splitlines()
    name, bouncer_id, _created = line.split("\t")
    assert (name, bouncer_id[:3]) == ("edge", "bnc")
    assert tocsin("bouncer", "delete", "edge", *data).stdout == "deleted edge\n"
    assert tocsin("bouncer", "list", *data).stdout == ""
    assert "no bouncer named 'edge'" in tocsin("bouncer", "delete", "edge", *data).stderr
