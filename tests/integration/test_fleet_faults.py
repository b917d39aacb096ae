"""A fleet that is not as it has to be, or loses its servers: a clear line, nothing half made, nothing falsely said."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet import TestFleet
from support.jetstream import jetstream
from support.nats_cluster import NatsCluster, until
from support.org import RISK_EVENTS, OrgProcess, event, send
from support.process import tocsin
from tocsin.cli.fleet_files import write_files
from tocsin.journal import JournalError
from tocsin.journal.jetstream.declared import BucketDeclared, differences, make
from tocsin.org.fleet.declared import declared
from tocsin.org.fleet.secret import FleetSecret

pytestmark = pytest.mark.slow
IP = "203.0.113.9"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    with NatsCluster(tmp_path / "nats") as cluster:
        yield cluster


def refused(why: str, hint: str, *arguments: str) -> None:
    """One line that says why, one that says what to do, nothing on standard output."""
    ended: subprocess.CompletedProcess[str] = tocsin(*arguments)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    first, second = (line for line in ended.stderr.splitlines() if not line.startswith("asking "))
    assert why in first
    assert hint in second


async def test_with_two_of_three_servers_gone_decisions_are_answered_and_nothing_is_taken_in(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    fleet = TestFleet(tmp_path / "fleet", cluster)
    await fleet.found(acme="http://acme.example")
    with fleet.node("one") as node, node.client(node.token()) as client:
        until(lambda: client.get("/readyz").status_code == 200, "not ready")
        send(client, event((IP, "HIGH")))
        until(lambda: client.get(f"/risk/v1/ips/{IP}").json()["level"] == "HIGH", "not indexed")
        for server in cluster.nodes[:2]:
            server.kill()
        answer = client.post(RISK_EVENTS, json=[event((IP, "LOW"))])
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "E0000010")
        assert int(answer.headers["retry-after"]) > 0
        known = client.get(f"/risk/v1/ips/{IP}")
        assert (known.status_code, known.json()["level"]) == (200, "HIGH")
        assert client.get("/readyz").status_code == 200
        assert client.get("/healthz").status_code == 200
        for server in cluster.nodes[:2]:
            server.start()
        until(lambda: client.post(RISK_EVENTS, json=[event((IP, "LOW"))]).status_code == 202, "not well again")
        until(lambda: client.get(f"/risk/v1/ips/{IP}").json()["level"] == "LOW", "not indexed")
        assert "quorum" in node.log.read_text() or "does not answer" in node.log.read_text()


async def test_a_node_does_not_start_on_a_fleet_that_is_not_as_it_has_to_be(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    fleet = TestFleet(tmp_path / "fleet", cluster)
    fleet.secret_file.write_text(FleetSecret.new_text())
    fleet.config.write_text('[journal]\nsecret_file = "fleet.secret"\n')
    node = ("--data", str(tmp_path / "node"), "--journal", fleet.servers, "--config", str(fleet.config))
    refused("TOCSIN: it is not there", "`tocsin fleet init`", "serve", "--port", "0", *node)
    async with jetstream(cluster) as connection:
        await make(connection, [BucketDeclared(name="tocsin_orgs", replicas=1)])
        with pytest.raises(JournalError, match="replicas 1 instead of 3"):
            await make(connection, declared())
        assert [one.name for one in await differences(connection, declared()) if not one.missing] == ["KV_tocsin_orgs"]
        await connection.api("STREAM.DELETE.KV_tocsin_orgs")
    await fleet.found(acme="http://acme.example")
    refused("has no org bolt", "`tocsin fleet org list`", "serve", "--port", "0", *node, "--org", "bolt")
    fleet.secret_file.write_text(FleetSecret.new_text())
    refused("another secret", "copy the secret", "serve", "--port", "0", *node)
    assert not (tmp_path / "node" / "orgs").exists()


def test_a_node_does_not_start_without_what_it_must_be_told(tmp_path: Path) -> None:
    config, secret, nobody = tmp_path / "fleet.toml", tmp_path / "fleet.secret", "nats://127.0.0.1:1"
    serve = ("serve", "--port", "0", "--data", str(tmp_path / "node"))
    refused("no secret_file is named", "table [journal]", *serve, "--journal", nobody)
    config.write_text('[journal]\nsecret_file = "fleet.secret"\nconnect_s = 1.0\n')
    refused("cannot be read: No such file", "copy it from another node", *serve, "--config", str(config))
    secret.write_text("hunter2")
    refused("holds no secret of a fleet", "copy it from another node", *serve, "--config", str(config))
    secret.write_text(FleetSecret.new_text())
    refused("no NATS server is named", "at least one", *serve, "--config", str(config))
    refused("no NATS server answers", "servers run", *serve, "--config", str(config), "--journal", nobody)
    refused("not asked in clear text", "tls://", *serve, "--config", str(config), "--journal", "nats://192.0.2.1")


@pytest.mark.parametrize(
    ("jetstream_on", "more", "why", "hint"),
    [
        (False, "", "JetStream", "servers"),
        (True, 'authorization { user: "org", password: "right" }', "does not let", "nothing says so"),
        (True, "", "TOCSIN: it is not there", "`tocsin fleet init`"),
    ],
)
def test_servers_that_are_set_up_otherwise_are_told_in_a_line(
    tmp_path: Path, jetstream_on: bool, more: str, why: str, hint: str
) -> None:
    secret = tmp_path / "fleet.secret"
    secret.write_text(FleetSecret.new_text())
    with NatsCluster(tmp_path / "nats", size=1, jetstream=jetstream_on) as cluster:
        (server,) = cluster.nodes
        if more:
            server.stop()
            server.configure([], jetstream=True, more=more)
            server.start()
            cluster.wait_until_ready()
        config = tmp_path / "fleet.toml"
        config.write_text(f'[journal]\nservers = ["{server.url}"]\nsecret_file = "fleet.secret"\n')
        refused(why, hint, "serve", "--port", "0", "--data", str(tmp_path / "node"), "--config", str(config))
    assert not (tmp_path / "node" / "orgs").exists()


async def test_too_few_servers_for_the_replicas_are_told_and_nothing_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    with NatsCluster(tmp_path / "nats", size=1) as cluster:
        write_files(folder, [f"nats://127.0.0.1:{port}" for port in (1, 2, 3)])
        told = f'[journal]\nservers = ["{cluster.urls[0]}"]\nsecret_file = "fleet.secret"\n'
        for name in ("admin.toml", "relay-admin.toml", "system.toml"):
            (folder / name).write_text(told)
        refused("cannot be made", "as many servers in one cluster", "fleet", "init", str(folder))
        async with jetstream(cluster) as connection:
            assert all(one.missing for one in await differences(connection, declared()))
        checked = tocsin("fleet", "check", "--fleet", str(folder))
    lines = checked.stdout.splitlines()
    assert checked.returncode == 1
    assert "PROBLEM  servers: 0 servers keep streams" in lines[0]
    assert any(line.startswith("PROBLEM  TOCSIN: it is not there - make it with") for line in lines)


def test_a_folder_of_the_one_kind_is_not_opened_as_the_other(tmp_path: Path) -> None:
    with OrgProcess(tmp_path / "org"):
        pass
    refused(
        "of an org, not of a node",
        "without --journal",
        "serve",
        "--data",
        str(tmp_path / "org"),
        "--journal",
        "nats://127.0.0.1:1",
    )
    tocsin("serve", "--data", str(tmp_path / "node"), "--journal", "nats://127.0.0.1:1")
    refused("of a node of a fleet, not of an org", "with --journal", "serve", "--data", str(tmp_path / "node"))


def test_too_few_servers_or_a_folder_that_is_there_make_no_fleet(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    refused(
        "2 servers are too few", "three", "fleet", "init", str(folder), "--servers", "nats://127.0.0.1:1,127.0.0.1:2"
    )
    for ports, why in (
        ("4222,127.0.0.1:6222,127.0.0.1:8222", "port 6222 would be two"),
        ("1,127.0.0.1:2,127.0.0.1:64000", "port 66000 is beyond"),
    ):
        refused(why, "4222,4223,4224", "fleet", "init", str(folder), "--servers", f"nats://127.0.0.1:{ports}")
    assert not folder.exists()
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    three = "nats://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"
    refused("cannot be made", "name a new folder", "fleet", "init", str(folder), "--servers", three)
    refused("holds no fleet", "tocsin fleet init", "fleet", "check", "--fleet", str(folder))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".fleet")] == []
