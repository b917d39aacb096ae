"""What the doctor says of a node's data folder, with its fleet out of reach."""

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from support.node import NOW, MemoryFleet
from tocsin.org.doctor import Finding, disk, left_over, permissions
from tocsin.org.errors import OrgError
from tocsin.org.fleet import snapshot
from tocsin.org.fleet.doctor import examine_node
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.fleet.settings import NodeSettings
from tocsin.org.folder import RESTORING
from tocsin.org.marker import mark_whole
from tocsin.org.opening import open_org
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.risk_index import RiskIndex

IPS = b"".join(bytes(10) + b"\xff\xff" + bytes([203, 0, 113, last]) for last in range(5))


async def node_at(path: Path) -> NodeFolder:
    """Of a fleet with two orgs, of which one was told of five IPs."""
    fleet = MemoryFleet(path)
    for name in ("acme", "bolt"):
        await fleet.registered.add(name, f"http://{name}.example", at_ms=1)
        folder = fleet.folder_of(name, await fleet.registered.get(name))
    async with open_org(fleet.folder_of("acme", await fleet.registered.get("acme"))) as org:
        event = ConsumedEvent(None, int(NOW * 1000) + 1000, IPS, b"\3" * 5, None)
        record = RiskEventsConsumed(local_deed(int(NOW * 1000)), "rkpA", [event])
        await org.journal.append(risk_topic("rkpA"), encode_record(record))
        await org.projector.catch_up()
    assert not folder.directory.exists()
    return fleet.node


def problems(node: NodeFolder, *, deep: bool = False) -> dict[str, Finding]:
    return {one.check: one for one in examine_node(node.path, deep=deep) if one.mend is not None}


@pytest.mark.parametrize(("deep", "read"), [(True, "all of it"), (False, "a sample")])
async def test_it_tells_of_each_org_and_who_looks_at_the_journals(tmp_path: Path, deep: bool, read: str) -> None:
    node = await node_at(tmp_path / "node")
    found = {one.check: one.text for one in examine_node(node.path, deep=deep)}
    assert problems(node, deep=deep) == {}
    assert found["acme: risk index"] == f"5 IPs held, readable, up to entry 1 ({read} read)"
    assert {found[f"acme: {table}"] for table in ("directory", "feed", "system log")} == {"whole, up to entry 1"}
    assert found["bolt: risk index"] == found["bolt: directory"] == "not made yet"
    assert found["fleet"] == "not known before it is served"
    assert "`tocsin fleet check`" in found["journals"]


async def test_it_tells_each_thing_that_is_wrong_and_its_mend(tmp_path: Path) -> None:
    node = await node_at(tmp_path / "node")
    acme = node.orgs()["acme"]
    secret = tmp_path / "fleet.secret"
    secret.write_text(FleetSecret.new_text())
    node.remember(NodeSettings(servers=("nats://127.0.0.1:4222",), secret_file=str(secret)))
    node.belong_to(FleetSecret.read(secret))
    assert problems(node) == {}
    secret.write_text(FleetSecret.new_text())
    acme.log.write_bytes(b"torn" * 5000)
    with acme.feed.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    acme.directory.chmod(0o640)
    (acme.path / ".marker-abc").touch(mode=0o600)
    os.utime(acme.path / ".marker-abc", (0, 0))
    index = RiskIndex(acme.index)
    with index._env.begin(write=True) as txn:
        txn.put(b"cursor", bytes(8), db=index._meta)
    index.close()
    found = problems(node)
    assert set(found) == {
        "fleet",
        "permissions",
        "left over",
        *(f"acme: {one}" for one in ("risk index", "feed", "system log")),
    }
    assert "another fleet's" in found["fleet"].text
    assert "directory.db" in found["permissions"].text
    assert "it holds what entry 1 says" in found["acme: risk index"].text
    assert found["acme: feed"].mend == "stop the node, and run `tocsin rebuild --org acme`"


async def test_it_tells_of_a_restore_that_was_not_ended_and_of_what_is_no_org(tmp_path: Path) -> None:
    node = await node_at(tmp_path / "node")
    (node.path / "orgs" / "other").mkdir(mode=0o700)
    assert list(problems(node)) == ["other"]
    (node.path / RESTORING).touch()
    assert list(problems(node)) == ["marker"]
    with pytest.raises(OrgError, match="was interrupted"):
        NodeFolder.open(node.path)


def _everything(node: NodeFolder) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in node.path.rglob("*") if file.is_file() and file.suffix != ".lock"}


async def _torn(node: NodeFolder) -> str:
    """As the machine went down with it."""
    (node.orgs()["acme"].path / "index.boot").write_bytes(b"another boot")
    return "was in use when the machine went down"


async def _older(node: NodeFolder) -> str:
    index = RiskIndex(node.orgs()["acme"].index)
    with index._env.begin(write=True) as txn:
        txn.put(b"layout", b"1", db=index._meta)
    index.close()
    return "another version's"


@pytest.mark.parametrize("spoilt", [_torn, _older])
async def test_to_look_and_to_copy_make_nothing_anew(
    tmp_path: Path, spoilt: Callable[[NodeFolder], Awaitable[str]]
) -> None:
    """What serves the org next does; an older version would go on with what it has."""
    node = await node_at(tmp_path / "node")
    why = await spoilt(node)
    before = _everything(node)
    found = problems(node)
    assert list(found) == ["acme: risk index"]
    assert why in found["acme: risk index"].text
    with pytest.raises(OrgError, match=why):
        snapshot.take(node.path, tmp_path / "taken", org=None, on_progress=lambda _done, _total: None)
    assert _everything(node) == before
    assert not (tmp_path / "taken").exists()


async def test_what_was_not_made_yet_is_not_made_by_a_copy_of_it(tmp_path: Path) -> None:
    node, taken, new = await node_at(tmp_path / "node"), tmp_path / "taken", tmp_path / "new"
    assert snapshot.take(node.path, taken, org=None, on_progress=lambda _done, _total: None) == {"acme": 1, "bolt": 0}
    assert not node.orgs()["bolt"].index.exists()
    assert snapshot.restore(taken, new, on_progress=lambda _done, _total: None) == ["acme", "bolt"]
    assert problems(NodeFolder.open(new)) == {}


async def test_what_a_running_node_makes_and_takes_away_is_no_problem(tmp_path: Path) -> None:
    node = await node_at(tmp_path / "node")
    acme = node.orgs()["acme"].path
    (acme / "elsewhere").symlink_to(tmp_path / "nowhere")
    (acme / ".marker-being-written").touch(mode=0o600)
    ended = threading.Event()

    def work() -> None:
        for number in count():
            if ended.is_set():
                return
            mark_whole(acme, number)

    with ThreadPoolExecutor(max_workers=1) as pool:
        working = pool.submit(work)
        try:
            found = [look(node.path) for look in (permissions, left_over, disk) for _ in range(100)]
        finally:
            ended.set()
            working.result()
    assert set(found[:200]) == {"for its owner alone", "nothing of a killed command"}
