"""A new node begins with a snapshot of one that goes on: `tocsin backup` and `restore` of a node's folder."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import pytest
from structlog.testing import capture_logs

from support.node import NOW, MemoryFleet, ready, running
from support.process import tocsin
from tocsin.journal import Entry, MemoryJournal
from tocsin.org.assertions import Assertion
from tocsin.org.errors import OrgError
from tocsin.org.fleet import snapshot
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.folder import RESTORING, DataFolder, OrgFiles
from tocsin.org.opening import open_org
from tocsin.org.records import (
    RISK_BRANCH,
    TRIMMED_TOPIC,
    ConsumedEvent,
    JournalTrimmed,
    RiskEventsConsumed,
    encode_record,
    local_deed,
    risk_topic,
)
from tocsin.org.risk_index import RiskIndex
from tocsin.org.trimmed import Whole

pytestmark = pytest.mark.slow
NOW_MS = int(NOW * 1000)
PROVIDER = "rkpA"
SECRET, OTHERS = FleetSecret(b"a" * 32), FleetSecret(b"b" * 32)


class Counting(MemoryJournal):
    """Notes which entries are read."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = set[int]()

    async def read(self, after: int = 0, *, limit: int = 1000) -> list[Entry]:
        entries = await super().read(after, limit=limit)
        self.seen.update(entry.seq for entry in entries)
        return entries


def nothing(done: int, total: int) -> None:
    """Progress that nobody watches."""


async def assert_some(journal: MemoryJournal, dice: Random) -> int:
    """Fifty IPs, all held for an hour."""
    ips = b"".join(bytes(10) + b"\xff\xff" + dice.randbytes(4) for _ in range(50))
    event = ConsumedEvent(None, NOW_MS + 3_600_000, ips, bytes([3] * 50), None)
    return await journal.append(
        risk_topic(PROVIDER), encode_record(RiskEventsConsumed(local_deed(NOW_MS), PROVIDER, [event]))
    )


class OneOrg(MemoryFleet):
    """A fleet of one org, acme."""

    def __init__(self, path: Path, journal: MemoryJournal) -> None:
        super().__init__(path)
        self.node.belong_to(SECRET)
        self.journals["acme"] = journal

    async def index(self) -> dict[bytes, list[Assertion]]:
        async with open_org(self.folder_of("acme", await self.registered.get("acme"))) as org:
            return dict(org.index.dump())


async def fleet_of(path: Path, journal: MemoryJournal) -> OneOrg:
    fleet = OneOrg(path, journal)
    await fleet.registered.add("acme", "http://acme.example", at_ms=1)
    return fleet


@asynccontextmanager
async def under_load(journal: MemoryJournal, dice: Random) -> AsyncIterator[None]:
    async def load() -> None:
        while True:
            await assert_some(journal, dice)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(load())
    yield
    task.cancel()
    await asyncio.wait([task])


async def command(*arguments: str | Path) -> CompletedProcess[str]:
    return await asyncio.to_thread(tocsin, *map(str, arguments))


async def filled(path: Path, entries: int = 20) -> tuple[OneOrg, Counting]:
    """A node that is stopped, of a journal with so many entries."""
    journal, dice = Counting(), Random(1)
    fleet = await fleet_of(path, journal)
    for _ in range(entries):
        await assert_some(journal, dice)
    await fleet.index()
    return fleet, journal


def cursors_of(node: Path) -> list[int]:
    """How far the projections of acme are, those first that are applied first."""
    files = OrgFiles(node / "orgs" / "acme")
    cursors: list[int] = []
    for file in (files.directory, files.feed, files.log):
        with closing(sqlite3.connect(file)) as db:
            cursors += [seq for (seq,) in db.execute("SELECT seq FROM cursor")]
    index = RiskIndex(files.index)
    cursors.insert(1, index.cursor())
    index.close()
    return cursors


async def test_a_node_from_a_snapshot_of_one_under_load_reads_only_what_came_after(tmp_path: Path) -> None:
    old, taken, new, journal, dice = tmp_path / "old", tmp_path / "taken", tmp_path / "new", Counting(), Random(1)
    fleet = await fleet_of(old, journal)
    for _ in range(200):
        await assert_some(journal, dice)
    async with running(fleet) as (_, client):
        await ready(client)
        async with under_load(journal, dice):
            before = await journal.last()
            made = await command("backup", taken, "--data", old, "--org", "acme")
            after = await journal.last()
    assert (made.returncode, made.stderr) == (0, "")
    assert f"{taken}: a snapshot of acme up to entry " in made.stdout
    assert before < after
    restored = await command("restore", taken, "--data", new)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert f"{new}: a node's folder with acme" in restored.stdout

    cursors = cursors_of(new)
    assert cursors == sorted(cursors, reverse=True)
    journal.seen.clear()
    again = await fleet_of(new, journal)
    async with running(again) as (_, client):
        await ready(client)
    assert 200 <= cursors[-1] < await journal.last()
    assert sorted(journal.seen) == list(range(cursors[-1] + 1, await journal.last() + 1))
    assert await again.index() == await fleet.index()
    modes = {file.stat().st_mode & 0o777 for root in (taken, new) for file in (root, *root.rglob("*"))}
    assert modes == {0o600, 0o700}


def names_in(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def check_sums(taken: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=taken, check=True, capture_output=True)


async def test_a_snapshot_holds_projections_alone_and_is_a_new_folder(tmp_path: Path) -> None:
    old, taken = tmp_path / "old", tmp_path / "taken"
    await filled(old)
    assert snapshot.take(old, taken, org=None, on_progress=nothing) == {"acme": 20}
    assert {str(file.relative_to(taken)) for file in taken.rglob("*") if file.is_file()} == {
        "SHA256SUMS",
        "marker.json",
        *(f"orgs/acme/{name}" for name in ("marker.json", "directory.db", "feed.db", "log.db", "index/data.mdb")),
    }
    check_sums(taken)
    with pytest.raises(OrgError, match="is there already"):
        snapshot.take(old, taken, org=None, on_progress=nothing)
    with pytest.raises(OrgError, match="has no org bolt") as caught:
        snapshot.take(old, tmp_path / "other", org="bolt", on_progress=nothing)
    assert caught.value.hint == "it has acme"
    with pytest.raises(OrgError, match="cannot be used: No such file"):
        snapshot.take(old, tmp_path / "absent" / "other", org=None, on_progress=nothing)
    with pytest.raises(OrgError, match="a snapshot, not of a node") as caught:
        NodeFolder.open(taken)
    assert "tocsin restore" in str(caught.value.hint)
    (old / "orgs" / "acme" / "log.db").write_bytes(b"torn" * 5000)
    with pytest.raises(OrgError, match=r"log\.db cannot be used"):
        snapshot.take(old, tmp_path / "other", org=None, on_progress=nothing)
    assert names_in(tmp_path) == ["old", "taken"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda taken: os.truncate(taken / "orgs/acme/index/data.mdb", 8192), "index/data.mdb is not what was written"),
        (lambda taken: (taken / "orgs/acme/log.db").unlink(), "log.db is not there"),
        (lambda taken: (taken / "SHA256SUMS").write_text(f"{'0' * 64}  ../../evil\n"), "cannot be understood"),
        (lambda taken: (taken / "SHA256SUMS").write_text(""), "cannot be understood"),
        (lambda taken: (taken / "SHA256SUMS").unlink(), "No such file"),
        (
            lambda taken: (taken / "marker.json").write_text('{"kind":"tocsin-node-snapshot","format":4}'),
            "written by a newer version",
        ),
        (lambda taken: (taken / "marker.json").unlink(), "is no snapshot of a node"),
    ],
)
async def test_what_is_no_whole_snapshot_makes_no_node_and_is_not_in_the_way_of_one_that_is(
    tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    old, taken, spoilt, new = (tmp_path / name for name in ("old", "taken", "spoilt", "new"))
    await filled(old)
    snapshot.take(old, taken, org=None, on_progress=nothing)
    shutil.copytree(taken, spoilt)
    spoil(spoilt)
    with pytest.raises(OrgError, match=why) as caught:
        snapshot.restore(spoilt, new, on_progress=nothing)
    assert caught.value.hint
    assert not (tmp_path / "evil").exists()
    if new.exists():
        with pytest.raises(OrgError, match="was interrupted"):
            NodeFolder.open(new)
    assert snapshot.restore(taken, new, on_progress=nothing) == ["acme"]
    node = NodeFolder.open(new, create=False)
    assert node.fleet == SECRET.fingerprint
    with pytest.raises(OrgError, match="not known before it is served"):
        node.settings()


async def test_what_cannot_be_read_of_a_snapshot_is_told_by_its_name(tmp_path: Path) -> None:
    old, taken = tmp_path / "old", tmp_path / "taken"
    await filled(old)
    snapshot.take(old, taken, org=None, on_progress=nothing)
    last = taken / "orgs" / "acme" / "marker.json"
    with pytest.raises(OrgError, match=f"^{last} cannot be used"):
        snapshot.restore(taken, tmp_path / "new", on_progress=lambda _done, _total: last.unlink(missing_ok=True))


async def test_a_snapshot_is_not_made_where_it_would_be_an_org_or_something_is_already(tmp_path: Path) -> None:
    old, link = tmp_path / "old", tmp_path / "link"
    await filled(old)
    link.symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(old / "orgs")
    for to, why in (
        (old / "orgs" / "taken", "is in the node's folder"),
        (tmp_path / "round" / "taken", "is in the node's folder"),
        (link, "is there already"),
    ):
        with pytest.raises(OrgError, match=why):
            snapshot.take(old, to, org=None, on_progress=lambda _done, _total: pytest.fail("something was copied"))
    assert list(NodeFolder.open(old).orgs()) == ["acme"]


async def test_it_is_restored_into_a_new_folder_alone(tmp_path: Path) -> None:
    old, taken, new = tmp_path / "old", tmp_path / "taken", tmp_path / "new"
    await filled(old)
    snapshot.take(old, taken, org=None, on_progress=nothing)
    for there in (old, tmp_path):
        with pytest.raises(OrgError, match="is not empty"):
            snapshot.restore(taken, there, on_progress=nothing)
    new.mkdir(mode=0o700)  # as a service manager makes it
    told: list[tuple[int, int]] = []
    snapshot.restore(taken, new, on_progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert {done for done, total in told[-1:]} == {told[-1][1]}
    replaced = tocsin("restore", str(taken), "--replace", "--data", str(tmp_path / "other"))
    assert (replaced.returncode, "--replace" in replaced.stderr) == (2, True)
    DataFolder.open(tmp_path / "embedded")
    one = tocsin("backup", str(tmp_path / "one.db"), "--org", "acme", "--data", str(tmp_path / "embedded"))
    assert (one.returncode, "--org" in one.stderr) == (2, True)


async def test_a_node_of_another_fleet_is_not_made_of_it(tmp_path: Path) -> None:
    old, taken, new = tmp_path / "old", tmp_path / "taken", tmp_path / "new"
    await filled(old)
    snapshot.take(old, taken, org=None, on_progress=nothing)
    snapshot.restore(taken, new, on_progress=nothing)
    node = NodeFolder.open(new)
    node.belong_to(SECRET)
    with pytest.raises(OrgError, match="belongs to another fleet") as caught:
        node.belong_to(OTHERS)
    assert caught.value.hint
    assert node.fleet == SECRET.fingerprint


@pytest.mark.parametrize("older", [True, False])
async def test_what_is_older_than_what_the_journal_holds_is_made_anew_with_a_word_about_it(
    tmp_path: Path, older: bool
) -> None:
    old, taken, new = tmp_path / "old", tmp_path / "taken", tmp_path / "new"
    fleet, journal = await filled(old)
    registered = await fleet.registered.get("acme")
    async with open_org(fleet.folder_of("acme", registered)) as org:
        assert org.trimmed is not None
        whole = Whole(fleet.folder_of("acme", registered))
        await whole.look(org.projector, org.trimmed)
        whole.keep()
    snapshot.take(old, taken, org=None, on_progress=nothing)
    dice = Random(2)
    for _ in range(10):
        await assert_some(journal, dice)
    before = 25 if older else 15
    await journal.append(TRIMMED_TOPIC, encode_record(JournalTrimmed(local_deed(NOW_MS), before)))
    await journal.forget(RISK_BRANCH, before)
    snapshot.restore(taken, new, on_progress=nothing)
    again = await fleet_of(new, journal)
    with capture_logs() as logs:
        async with running(again) as (_, client):
            await ready(client)
    assert [log["event"] for log in logs] == ["org.begun_anew"] * older
    held = await again.index()
    assert min(said.seq for assertions in held.values() for said in assertions) == (25 if older else 1)


async def test_a_restore_that_was_interrupted_is_ended_by_the_next(tmp_path: Path) -> None:
    old, taken, new = tmp_path / "old", tmp_path / "taken", tmp_path / "new"
    fleet, journal = await filled(old)
    snapshot.take(old, taken, org=None, on_progress=nothing)
    snapshot.restore(taken, new, on_progress=nothing)
    (new / RESTORING).touch()
    with pytest.raises(OrgError, match="was interrupted") as caught:
        NodeFolder.open(new)
    assert "tocsin restore" in str(caught.value.hint)
    snapshot.restore(taken, new, on_progress=nothing)
    again = await fleet_of(new, journal)
    assert await again.index() == await fleet.index()
