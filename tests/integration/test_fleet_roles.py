"""What `tocsin fleet init` writes, over TLS: the servers it sets up, and that each role does its work and no other."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme
from msgspec.structs import replace

from support.fleet import patient, server_ports, start, started, warned
from support.nats_cluster import until
from support.org import OrgProcess, event, send
from support.process import tocsin
from tocsin.cli.fleet import told as settings_of
from tocsin.cli.fleet_files import write_files
from tocsin.cli.fleet_roles import declared
from tocsin.journal import JournalError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal, JetStreamKeyValue
from tocsin.journal.jetstream.servers import Fault, Server, faults
from tocsin.org.fleet.declared import ORGS_BUCKET
from tocsin.org.fleet.registered import Registered
from tocsin.relay.fleet.declared import TOLD_ROOT, TOLD_STREAM

pytestmark = pytest.mark.slow


@asynccontextmanager
async def as_role(folder: Path, name: str, **told: Any) -> AsyncIterator[JetStreamConnection]:
    connection = await JetStreamConnection.open(replace(settings_of(folder, name), **told))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[tuple[Path, dict[str, subprocess.Popen[bytes]]]]:
    """A fleet's folder, and its servers."""
    folder, authority = tmp_path / "fleet", trustme.CA()
    write_files(folder, [f"tls://127.0.0.1:{port}" for port in server_ports()])
    certificate = authority.issue_cert("127.0.0.1")
    for place in (folder, *folder.glob("n?")):
        authority.cert_pem.write_to_path(place / "ca.pem")
    for place in folder.glob("n?"):
        certificate.private_key_pem.write_to_path(place / "server-key.pem")
        certificate.cert_chain_pems[0].write_to_path(place / "server.pem")
    with started(folder) as running:
        until(lambda: tocsin("fleet", "init", str(folder)).returncode == 0, "the fleet is not made")
        yield folder, running


async def test_over_tls_each_role_does_its_work_and_is_refused_what_is_not(
    set_up: tuple[Path, dict[str, subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    fleet, running = set_up
    at = ("--fleet", str(fleet))
    checked = tocsin("fleet", "check", "--deep", *at)
    assert (checked.returncode, "PROBLEM" in checked.stdout) == (0, False), checked.stdout
    assert checked.stdout.count("syncs always") == 3
    assert checked.stdout.count("n1, n2, n3 hold the same") == len(declared())
    assert tocsin("fleet", "org", "add", "acme", "--url", "http://acme.example", *at).returncode == 0
    assert tocsin("fleet", "org", "list", *at).stdout == "acme\thttp://acme.example\n"
    with (
        OrgProcess(tmp_path / "node", "--config", str(fleet / "fleet.toml")) as node,
        patient(node, node.token()) as org,
    ):
        until(lambda: org.get("/readyz").status_code == 200, "not ready")
        send(org, event(("203.0.113.9", "HIGH")))
        until(lambda: org.get("/risk/v1/ips/203.0.113.9").json()["level"] == "HIGH", "not indexed")
        assert node.stop() == 0
        assert warned(node) == []

    async with (
        as_role(fleet, "admin.toml") as admin,
        as_role(fleet, "fleet.toml") as node_user,
        as_role(fleet, "relay-journal.toml") as worker,
        as_role(fleet, "detector-journal.toml") as detector,
        as_role(fleet, "auditor.toml") as auditor,
    ):
        assert (await worker.api("STREAM.INFO.KV_tocsin_targets"))["config"]["num_replicas"] == 3
        orgs = await JetStreamKeyValue.open(node_user, ORGS_BUCKET)
        assert (await Registered(orgs).all()).orgs.keys() == {"acme"}
        journal = await JetStreamJournal.open(node_user, "acme")
        assert await journal.last() > 0
        told = await asyncio.gather(
            Registered(orgs).add("bolt", "http://bolt.example", at_ms=0),
            *(admin.api(f"STREAM.{operation}.TOCSIN", {"seq": 1}) for operation in ("MSG.GET", "DELETE", "PURGE")),
            *(node_user.api(f"STREAM.{operation}.TOCSIN", {}) for operation in ("DELETE", "CREATE", "UPDATE")),
            node_user.api("STREAM.PURGE.KV_tocsin_orgs", {}),
            worker.api("STREAM.MSG.GET.TOCSIN", {"seq": 1}),
            detector.api("STREAM.MSG.GET.TOCSIN", {"seq": 1}),
            detector.api("STREAM.INFO.KV_tocsin_targets"),
            auditor.api("STREAM.PURGE.TOCSIN"),
            auditor.ask("tocsin.journal.acme.a", b"", None, 5.0),
            return_exceptions=True,
        )
        for error in told:
            assert isinstance(error, JournalError)
            assert "this user may not ask" in str(error)
        await journal.close()
        await orgs.close()
        await _an_answer_reaches_no_other_account(worker, node_user)
        await _what_the_auditor_is_answered_deletes_nothing(auditor, node_user)
    _a_server_without_the_password_is_kept_out(fleet)
    _a_copy_that_is_cut_is_found(fleet, running)
    removed = tocsin("fleet", "org", "remove", "acme", *at)
    assert (removed.returncode, removed.stdout) == (0, "removed acme\n")
    again = tocsin("fleet", "org", "remove", "acme", *at)
    assert (again.returncode, "has no org acme" in again.stderr) == (1, True)
    (fleet / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    with pytest.raises(JournalError, match="certificate"):
        async with as_role(fleet, "fleet.toml", connect_s=0.5):
            pass


async def _an_answer_reaches_no_other_account(worker: JetStreamConnection, node_user: JetStreamConnection) -> None:
    """Servers send what a user may read wherever it says: here into an org's journal, and to where relays told it."""
    before = (await node_user.api("STREAM.INFO.TOCSIN"))["state"]["last_seq"]
    told = await JetStreamJournal.open(worker, "acme", stream=TOLD_STREAM, root=TOLD_ROOT)
    # Not by `append`, whose message id the answer would repeat: what comes with a known one is dropped as a duplicate.
    made = await worker.ask(f"{TOLD_ROOT}.acme.a", b"forged", None, 5.0)
    seq = msgspec.json.decode(made.data)["seq"]
    for to in ("tocsin.journal.acme.directory.token", f"{TOLD_ROOT}.acme.a"):
        await worker.publish(f"$JS.API.DIRECT.GET.{TOLD_STREAM}", b'{"seq":%d}' % seq, to)
    async with asyncio.timeout(30):
        while await told.last("a") == seq:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    await told.close()
    assert (await node_user.api("STREAM.INFO.TOCSIN"))["state"]["last_seq"] == before


async def _what_the_auditor_is_answered_deletes_nothing(
    auditor: JetStreamConnection, node_user: JetStreamConnection
) -> None:
    """The API of JetStream hears what is answered to a direct get: a message without a body is a question to it."""
    made = await node_user.ask("tocsin.journal.acme.directory.nothing", b"", None, 5.0)
    seq = msgspec.json.decode(made.data)["seq"]
    question = b'{"seq":%d}' % seq
    async with asyncio.timeout(30):
        while not await auditor.batches.next("TOCSIN", ">", seq, most=1):  # noqa: ASYNC110 - a replica is behind
            await asyncio.sleep(0.05)
    for to in ("$JS.API.STREAM.DELETE.TOCSIN", "$JS.API.STREAM.PURGE.KV_tocsin_orgs", "tocsin.journal.acme.a"):
        await auditor.publish("$JS.API.DIRECT.GET.TOCSIN", question, to)
    # The same question of a node, in the account of the streams: once it had its effect, so would the others have.
    await node_user.ask("$KV.tocsin_pulls.x", b"", None, 5.0)
    await node_user.publish("$JS.API.DIRECT.GET.TOCSIN", question, "$JS.API.STREAM.PURGE.KV_tocsin_pulls")
    async with asyncio.timeout(30):
        while (await node_user.api("STREAM.INFO.KV_tocsin_pulls"))["state"]["messages"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert (await node_user.api("STREAM.INFO.TOCSIN"))["state"]["last_seq"] == seq
    assert (await node_user.api("STREAM.INFO.KV_tocsin_orgs"))["state"]["messages"] > 0


def _a_copy_that_is_cut_is_found(fleet: Path, running: dict[str, subprocess.Popen[bytes]]) -> None:
    """That server itself starts without a word."""
    place = fleet / "n3"
    running["n3"].terminate()  # with a snapshot, so that it does not play its log again
    running["n3"].wait()
    without = tocsin("fleet", "check", "--fleet", str(fleet))
    dead = settings_of(fleet, "system.toml").servers[2].removeprefix("tls://")
    named, counted = (line for line in without.stdout.splitlines() if line.startswith("PROBLEM"))
    assert f"no NATS server answers at {dead}: Connection refused" in named
    assert (without.returncode, "2 of 3 answer" in counted) == (1, True)
    (block,) = place.glob("store-n3/jetstream/*/streams/TOCSIN/msgs/*.blk")
    block.write_bytes(block.read_bytes()[: block.stat().st_size // 2])
    running["n3"] = start(place)
    checked = until(
        lambda: None if "answer" in (out := tocsin("fleet", "check", "--fleet", str(fleet))).stdout else out, "no n3"
    )
    assert checked.returncode == 1
    (line,) = [line for line in checked.stdout.splitlines() if line.startswith("PROBLEM")]
    assert "TOCSIN: n3 holds" in line
    assert "empty its store" in line


def _a_server_without_the_password_is_kept_out(fleet: Path) -> None:
    """Not even with a certificate of the same authority: what comes over a route is asked for no key."""
    rogue, (port, *_) = fleet / "rogue", server_ports()
    shutil.copytree(fleet / "n1", rogue, ignore=shutil.ignore_patterns("store-*"))
    config = rogue / "server.conf"
    mine = re.sub(r"server:\w+@|authorization: .*", "", config.read_text()).replace(
        "server_name: n1", "server_name: me"
    )
    own = urlsplit(settings_of(fleet, "fleet.toml").servers[0]).port or 0
    mine = mine.replace(f'listen: "127.0.0.1:{own}"', f'listen: "127.0.0.1:{port}"')
    config.write_text(mine.replace(f'listen: "127.0.0.1:{own + 2000}"', f'listen: "127.0.0.1:{port + 2000}"'))
    with started(fleet, "rogue"):
        until(lambda: "Authorization Violation" in (rogue / "log").read_text(), "it was let in")


def test_what_is_wrong_with_servers_is_said_of_each() -> None:
    def server(name: str, **unlike: object) -> Server:
        right = {
            "version": "2.15.1",
            "ahead_s": 0.0,
            "max_payload": 2 * 1024**2,
            "sync_always": True,
            "cluster_size": 3,
        }
        return Server(name=name, **(right | unlike))  # type: ignore[arg-type]

    def found(*servers: Server) -> list[tuple[str, str]]:
        return [(fault.where, fault.text) for fault in faults(list(servers), replicas=3) if isinstance(fault, Fault)]

    well = [server(name) for name in ("n1", "n2", "n3")]
    assert found(*well) == []
    for unlike, where, text in (
        ({"sync_always": False}, "n3", "Jepsen"),
        ({"version": "2.10.29"}, "n3", "version 2.10.29"),
        ({"max_payload": 1024**2}, "n3", "at most 1048576"),
        ({"ahead_s": 300.0}, "clocks", "300.0 s apart"),
        ({"cluster_size": 0, "sync_always": False}, "n3", "JetStream is off"),
    ):
        ((place, said),) = found(*well[:2], server("n3", **unlike))
        assert (place, text in said) == (where, True), said
    assert found(*well[:2]) == [("servers", "2 of 3 answer")]
    assert found(server("n1", cluster_size=1))[0] == ("servers", "1 servers keep streams, and 3 replicas need as many")
    assert found() == [("servers", "0 servers keep streams, and 3 replicas need as many")]
