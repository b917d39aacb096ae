"""Nodes of a fleet over real servers: what one takes in the other knows, and orgs see nothing of each other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.fleet import TestFleet, add_org, patient, remove_org, warned
from support.nats_cluster import NatsCluster, until
from support.org import PROVIDERS, event, send
from support.process import tocsin

pytestmark = pytest.mark.slow
IP, OTHER = "203.0.113.9", "198.51.100.7"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    with NatsCluster(tmp_path / "nats") as cluster:
        yield cluster


@contextmanager
def ready(client: httpx2.Client) -> Iterator[httpx2.Client]:
    """Once what it asks is ready."""
    with client:
        until(lambda: client.get("/readyz").status_code == 200, "not ready")
        yield client


def words(client: httpx2.Client, ip: str) -> list[str]:
    answer = client.get(f"/risk/v1/ips/{ip}")
    assert answer.status_code == 200, answer.text
    return [word["level"] for word in answer.json()["providers"]]


async def test_what_one_node_takes_in_the_other_knows_and_a_third_that_comes_later(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    fleet = TestFleet(tmp_path / "fleet", cluster)
    await fleet.found(acme="http://acme.example")
    with fleet.node("one") as one, fleet.node("two") as two:
        token = one.token()
        with ready(patient(one, token)) as here, ready(patient(two, token)) as there:
            default = here.get(PROVIDERS).json()[0]["id"]
            here.put(f"{PROVIDERS}/{default}", json={"name": "ipsum", "action": "enforce_and_log"})
            assert there.get(PROVIDERS).json()[0]["name"] == "ipsum"
            seq = send(here, event((IP, "HIGH")))
            until(lambda: words(there, IP) == ["HIGH"], "not known at the other node")
            until(lambda: int(there.get("/readyz").json()["applied"]) >= seq, "not said to be applied")
        checked = tocsin("check", IP, "--data", str(two.data))
        assert "HIGH (enforced: HIGH" in checked.stdout, checked.stderr
        listed = tocsin("token", "list", "--data", str(two.data))
        assert listed.stdout.splitlines()[1].split()[0] == "test", listed.stderr
        assert two.stop() == 0
        rebuilt = tocsin("rebuild", "--org", "acme", "--data", str(two.data))
        assert (rebuilt.returncode, "rebuilt up to entry" in rebuilt.stdout) == (0, True), rebuilt.stderr
        # One of the node that runs, one of the node that is stopped. What came since is read on from the streams.
        for node, new in ((one, "three"), (two, "four")):
            taken = str(fleet.folder / f"of-{new}")
            for command in (
                ["backup", taken, "--data", str(node.data)],
                ["restore", taken, "--data", str(fleet.folder / new)],
            ):
                done = tocsin(*command)
                assert (done.returncode, done.stderr) == (0, "")
        healthy = tocsin("doctor", "--deep", "--data", str(one.data))
        assert {line.split()[0] for line in healthy.stdout.splitlines()} == {"ok"}, healthy.stdout
        assert "fleet: nats://127.0.0.1" in healthy.stdout
        with patient(one, token) as here:
            send(here, event((OTHER, "MEDIUM")))
        with fleet.node("three") as three, fleet.node("four") as four, fleet.node("five") as five:
            later = [patient(node, token) for node in (three, four, five)]
            with ready(later[0]), ready(later[1]), ready(later[2]):
                assert {at.get("/readyz").json()["last"] for at in later} != {0}
                for ip, level in ((IP, "HIGH"), (OTHER, "MEDIUM")):
                    until(lambda: [words(at, ip) for at in later] == [[level]] * 3, "not caught up")  # noqa: B023
            assert [line for node in (one, three, four, five) for line in warned(node)] == []
        marker = two.data / "marker.json"
        of_another = json.loads(marker.read_bytes()) | {"fleet": "another"}
        marker.write_text(json.dumps(of_another))
        refused = tocsin("token", "list", "--data", str(two.data))
        assert (refused.returncode, "belongs to another fleet" in refused.stderr) == (1, True), refused.stderr


async def test_two_orgs_by_their_hosts_see_nothing_of_each_other_and_come_and_go_while_the_node_runs(
    tmp_path: Path, cluster: NatsCluster
) -> None:
    fleet = TestFleet(tmp_path / "fleet", cluster)
    await fleet.found(acme="http://acme.example", bolt="http://bolt.example")
    with fleet.node("one") as node:
        of_acme, of_bolt = (node.token("test", "--org", name) for name in ("acme", "bolt"))
        with ready(patient(node, of_acme)) as client:
            at_acme = {"host": "acme.example"}
            client.post("/api/v1/risk/events/ip", headers=at_acme, json=[event((IP, "HIGH"))])
            for host, authorization, status in (
                ("acme.example", of_acme, 200),
                ("acme.example", of_bolt, 401),
                ("BOLT.example:80", of_bolt, 200),
                ("bolt.example", of_acme, 401),
                ("other.example", of_acme, 404),
            ):
                headers = {"host": host, "authorization": f"SSWS {authorization}"}
                answer = client.get(f"/risk/v1/ips/{IP}", headers=headers)
                assert answer.status_code == status, (host, answer.text)
                if host.startswith("BOLT") and status == 200:
                    assert answer.json()["providers"] == []
            assert answer.json()["errorCode"] == "E0000008"
            assert set(client.get("/readyz", headers={"host": "10.0.0.1"}).json()["orgs"]) == {"acme", "bolt"}
            refused = tocsin("token", "list", "--data", str(node.data))
            assert (refused.returncode, "say which org" in refused.stderr) == (1, True)
            assert "acme, bolt" in refused.stderr
            await add_org(cluster, "coil", "http://coil.example")
            until(lambda: client.get("/readyz", headers={"host": "coil.example"}).json().get("ready"), "not served")
            await remove_org(cluster, "bolt")
            gone = {"host": "bolt.example", "authorization": f"SSWS {of_bolt}"}
            until(lambda: client.get(f"/risk/v1/ips/{IP}", headers=gone).status_code == 404, "served still")
            assert client.get(f"/risk/v1/ips/{IP}", headers=at_acme).status_code == 200
        assert node.stop() == 0
        # The process beside the node may have begun a round for the one that was removed at this moment.
        lines = [line for line in warned(node) if "the fleet has no org bolt" not in line]
        assert len(lines) == 2, lines
        for host, line in zip(("other.example", "bolt.example"), lines, strict=True):
            assert f"event=host.unknown host={host}" in line
