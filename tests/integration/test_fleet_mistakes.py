"""What somebody new to a fleet gets wrong, on servers as `tocsin fleet init` sets them up: each is told what to do."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from msgspec.structs import replace

from support.fleet import server_ports, started
from support.nats_cluster import BINARY, held_port, until
from support.process import Command, tocsin
from support.relay_process import RelayProcess
from tocsin.cli.fleet import told as settings_of
from tocsin.cli.fleet_files import write_files
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.secret import FleetSecret

pytestmark = pytest.mark.slow
SOON = "connect_s = 2.0\n"
RELAY_TOML = """
[targets.acme]
url = "http://127.0.0.1:1"
token_file = "token"
[sources.list]
path = "list.txt"
[fleet]
lease_s = {lease_s}
"""


def test_the_mistakes_of_a_newcomer_are_told_with_what_to_do(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    write_files(fleet, [f"nats://127.0.0.1:{port}" for port in server_ports()])
    _no_server_runs(fleet)
    _a_node_listens_to_nobody_until_it_knows_something(fleet)
    with started(fleet):
        until(lambda: tocsin("fleet", "init", str(fleet)).returncode == 0, "the fleet is not made")
        _another_secret_adds_no_org(fleet)
        _the_key_of_another_role(fleet)
        _the_key_of_another_fleet(fleet)
        _another_lease(fleet)


def test_servers_that_are_started_in_one_folder_share_no_files(tmp_path: Path) -> None:
    """`nats-server -c fleet/n1/server.conf`, not in `fleet/n1`."""
    fleet, here = tmp_path / "fleet", tmp_path / "here"
    write_files(fleet, [f"nats://127.0.0.1:{port}" for port in server_ports()])
    here.mkdir()
    with ExitStack() as running:
        for name in ("n1", "n2", "n3"):
            running.enter_context(started_in(here, fleet / name / "server.conf"))
        until(lambda: len(list(here.glob("store*/jetstream"))) == 3, "each keeps none of its own")


@contextmanager
def started_in(folder: Path, config: Path) -> Iterator[None]:
    command = [BINARY, "-c", str(config)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def said(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of an error, without the one that says whom it asked."""
    return [line for line in ended.stderr.splitlines() if not line.startswith("asking ")]


@contextmanager
def changed(file: Path, more: str = "", **instead: str) -> Iterator[None]:
    """A file that says more, and names another key in the place of one."""
    right = file.read_text()
    text = right
    for role, other in instead.items():
        text = text.replace(f"{role}.nk", f"{other}.nk")
    file.write_text(text + more)
    try:
        yield
    finally:
        file.write_text(right)


def _no_server_runs(fleet: Path) -> None:
    servers = settings_of(fleet, "system.toml").servers
    asked = f"asking {', '.join(servers)} ..."
    checked = tocsin("fleet", "check", "--fleet", str(fleet))
    assert (checked.returncode, checked.stderr.splitlines()) == (1, [asked])
    lines = checked.stdout.splitlines()
    assert len(lines) == len(servers)
    for line, url in zip(lines, servers, strict=True):
        assert line.startswith(
            f"PROBLEM  server: no NATS server answers at {url.partition('://')[2]}: Connection refused"
        )
    with changed(fleet / "admin.toml", SOON):
        ended = tocsin("fleet", "init", str(fleet))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[0] == asked
    assert [line.count("no NATS server answers") for line in said(ended)] == [1, 0]


def _a_node_listens_to_nobody_until_it_knows_something(fleet: Path) -> None:
    """A balancer would take it for one that works slowly."""
    with changed(fleet / "fleet.toml", SOON), held_port() as port, TemporaryFile() as errors:
        serve = ("serve", "--config", str(fleet / "fleet.toml"), "--data", str(fleet / "node"), "--port", str(port))
        with Command(*serve, errors=errors.fileno()) as node:

            def asks() -> bool:
                errors.seek(0)
                return b"asking nats://" in errors.read()

            until(asks, "it does not say whom it asks")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=10).close()
            assert node.wait() == 1
    other = fleet / "other-node"
    NodeFolder.open(other).remember(replace(settings_of(fleet, "fleet.toml"), connect_s=2.0))
    asked = tocsin("token", "list", "--data", str(other))
    assert (asked.returncode, asked.stderr.splitlines()[0][:15]) == (1, "asking nats://1")


def _another_secret_adds_no_org(fleet: Path) -> None:
    secret, add = fleet / "fleet.secret", ("fleet", "org", "add", "acme", "--url", "http://acme.example")
    right = secret.read_text()
    secret.write_text(FleetSecret.new_text())
    ended = tocsin(*add, "--fleet", str(fleet))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ["another secret" in said(ended)[0], "copy the secret" in said(ended)[1]] == [True, True]
    assert tocsin("fleet", "org", "list", "--fleet", str(fleet)).stdout == ""
    secret.write_text(right)
    assert tocsin(*add, "--fleet", str(fleet)).returncode == 0


def _the_key_of_another_role(fleet: Path) -> None:
    (fleet / "token").touch(mode=0o600)
    (fleet / "token").write_text("00token")
    for file, role, wrong, command in (
        ("admin.toml", "admin", "org", ("fleet", "init", str(fleet))),
        ("system.toml", "system", "admin", ("fleet", "check", "--fleet", str(fleet))),
        ("fleet.toml", "org", "relay", ("serve", "--data", str(fleet / "node"), "--config", str(fleet / "fleet.toml"))),
        ("relay-journal.toml", "relay", "detector", ("relay", "--config", str(fleet / "relay.toml"))),
    ):
        with changed(fleet / file, **{role: wrong}):
            (fleet / "relay.toml").write_text((fleet / file).read_text() + RELAY_TOML.format(lease_s=15))
            ended = tocsin(*command)
        assert ended.returncode == 1
        text = ended.stdout + "\n".join(said(ended))
        assert f"this user may not listen to _IN_{role}.>" in text, text
        assert f"role {role}, whose key is keys/{role}.nk" in text, text
        assert len(said(ended)) == (0 if "check" in command else 2), ended.stderr


def _the_key_of_another_fleet(fleet: Path) -> None:
    other = fleet / "another"
    write_files(other, [f"nats://127.0.0.1:{port}" for port in (1, 2, 3)])
    with changed(fleet / "admin.toml", **{"keys/admin": f"{other}/keys/admin"}):
        ended = tocsin("fleet", "init", str(fleet))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "does not let this user in" in said(ended)[0]
    assert f"check nkey_file {other}/keys/admin.nk, which may be another fleet's" in said(ended)[1]


def _another_lease(fleet: Path) -> None:
    config = fleet / "relay.toml"
    relay, init = ("relay", "--config", str(config)), ("fleet", "init", str(fleet), "--config", str(config))
    journal = (fleet / "relay-journal.toml").read_text()
    config.write_text(journal + RELAY_TOML.format(lease_s=2))
    (fleet / "list.txt").write_text("")
    ended = tocsin(*relay)
    assert ended.returncode == 1
    assert "fleet.lease_s is 2 s, and the fleet is set up for 15 s" in said(ended)[0]
    assert "`tocsin fleet init DIR --config relay.toml`" in said(ended)[1]
    assert "the lease of relay workers is 2 s now\n" in tocsin(*init).stdout
    checked = tocsin("fleet", "check", "--fleet", str(fleet))
    assert (checked.returncode, "ok       lease: of relay workers 2 s" in checked.stdout) == (0, True), checked.stdout
    assert tocsin("fleet", "init", str(fleet)).returncode == 0  # and leaves it
    with RelayProcess(config) as worker:
        until(lambda: "worker.fleet" in worker.log.read_text(), "it is not there")
        config.write_text(journal + RELAY_TOML.format(lease_s=3))
        refused = tocsin(*init)
        assert refused.returncode == 1
        there = f"workers run, or did a moment ago, with a lease of 2 s: {worker.said.split()[4]}; nothing was changed"
        assert there in said(refused)[0]
    until(lambda: "3 s now" in tocsin(*init).stdout, "its entry does not end")
