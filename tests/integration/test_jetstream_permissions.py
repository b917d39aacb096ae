"""With the permissions that are listed for it each thing can be done, and what they leave out cannot."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support.nats_cluster import NatsCluster
from tocsin.journal import JournalConflict, JournalError
from tocsin.journal.jetstream import (
    FleetClock,
    JetStreamConnection,
    JetStreamJournal,
    JetStreamKeyValue,
    JetStreamSettings,
)
from tocsin.journal.jetstream import permissions as may
from tocsin.journal.jetstream.declared import BucketDeclared, StreamDeclared, differences, make
from tocsin.journal.jetstream.permissions import Permissions

pytestmark = pytest.mark.slow
STREAM = StreamDeclared(name="TOCSIN", subjects=("tocsin.journal.>",), replicas=1)
BUCKET = BucketDeclared(name="table", replicas=1)
SOON_S = 20.0

ROLES = {
    "admin": may.to_make((STREAM, BUCKET)),
    "writer": may.to_append_to_journals("TOCSIN", "acme")
    | may.to_forget_of_journals("TOCSIN")
    | may.to_write_table("table")
    | may.to_read_clock("TOCSIN"),
    "reader": may.to_read_journals("TOCSIN", "acme") | may.to_read_table("table"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    users = "\n".join(_user(role, may.to_connect(f"_IN_{role}") | allowed) for role, allowed in ROLES.items())
    folder = tmp_path_factory.mktemp("nats")
    with NatsCluster(folder, size=1, more=f"authorization {{ users: [\n{users}\n] }}") as cluster:
        yield cluster


def _user(role: str, allowed: Permissions) -> str:
    publish, subscribe = (", ".join(f'"{one}"' for one in each) for each in (allowed.publish, allowed.subscribe))
    permissions = f"permissions: {{ publish: [{publish}], subscribe: [{subscribe}] }}"
    return f"{{ user: {role}, password: {role}, {permissions} }}"


async def opened(stack: AsyncExitStack, server: NatsCluster, folder: Path, role: str) -> JetStreamConnection:
    (folder / role).write_text(role)
    settings = JetStreamSettings(
        servers=tuple(server.urls), user=role, password_file=str(folder / role), inbox_prefix=f"_IN_{role}"
    )
    connection = await JetStreamConnection.open(settings)
    stack.push_async_callback(connection.close)
    return connection


async def test_each_role_does_its_part_and_no_other(server: NatsCluster, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        admin, writer, reader = [await opened(stack, server, tmp_path, role) for role in ROLES]
        await make(admin, [STREAM, BUCKET])
        assert await differences(admin, [STREAM, BUCKET]) == []

        journal = await JetStreamJournal.open(writer, "acme", look_again_s=SOON_S)
        seqs = [await journal.append("a.b", b"%d" % n) for n in range(3)]
        with pytest.raises(JournalConflict):
            await journal.append("a.b", b"", expect_last=seqs[0])
        await journal.append("a.b", b"3", expect_last=seqs[-1])
        assert await journal.forget("a.", seqs[-1]) == 2
        assert (await journal.get(seqs[-1]) or (0,))[0] == seqs[-1]
        clock = await FleetClock.start(writer)
        assert clock() > 0
        await clock.close()
        table = await JetStreamKeyValue.open(writer, "table")
        await table.put("a", b"1", revision=0)
        await table.put("b", b"1")
        await table.delete("b")

        reading = await JetStreamJournal.open(reader, "acme", look_again_s=SOON_S)
        follower = reading.follow()
        assert [entry.body for entry in await anext(follower)] == [b"2", b"3"]
        waiting = asyncio.ensure_future(anext(follower))
        await journal.append("a.c", b"4")
        async with asyncio.timeout(SOON_S / 2):
            assert [entry.body for entry in await waiting] == [b"4"]
        seen = await JetStreamKeyValue.open(reader, "table")
        assert set(await seen.all()) == {"a"}

        other = await JetStreamJournal.open(writer, "other")
        refused = [
            other.append("a", b""),
            reading.append("a", b""),
            reading.forget("a.", 10**9),
            seen.put("a", b"2"),
            make(writer, [StreamDeclared(name="MORE", subjects=("more",), replicas=1)]),
            admin.api("STREAM.DELETE.TOCSIN"),
            admin.api("STREAM.MSG.GET.TOCSIN", {"seq": 1}),
        ]
        told = await asyncio.gather(*refused, return_exceptions=True)
        for error in told:
            assert isinstance(error, JournalError)
            assert "this user may not ask" in str(error)
        assert await journal.last("a") == 0
        for each in (journal, reading, other):
            await each.close()
        await seen.close()
        await table.close()


async def test_nobody_sees_the_answers_of_another(server: NatsCluster, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        admin, writer, reader = [await opened(stack, server, tmp_path, role) for role in ROLES]
        await make(admin, [STREAM])
        heard: list[str] = []
        await reader.listen("_IN_writer.>", lambda message: heard.append(message.subject))
        journal = await JetStreamJournal.open(writer, "acme")
        await journal.append("a", b"")
        assert await journal.read()
        await reader.api("STREAM.MSG.GET.TOCSIN", {"last_by_subj": "tocsin.journal.acme.>"})
        assert heard == []
        await journal.close()
