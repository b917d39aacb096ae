"""Connections to real servers: what is told when they do not come about, and that they outlive the servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import nkeys
import pytest
import trustme
from nacl.utils import random as random_bytes
from structlog.testing import capture_logs

from support.jetstream import STREAM, jetstream
from support.nats_cluster import NatsCluster, NatsNode
from support.nats_jwt import operator_and_user
from support.tcp_proxy import Proxy
from tocsin.journal import JournalError, JournalUnreachable
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal, JetStreamSettings
from tocsin.journal.jetstream.asking import ATTEMPT_S
from tocsin.journal.jetstream.declared import make
from tocsin.journal.jetstream.followed import Followed

pytestmark = pytest.mark.slow
SOON_S = 20.0
PASSWORD = 'authorization { user: me, password: "s3cr3t" }'


async def told(settings: JetStreamSettings) -> str:
    """What is said instead of a connection."""
    with pytest.raises(JournalError) as caught:
        await JetStreamConnection.open(settings)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.hint
    assert "s3cr3t" not in text + caught.value.hint
    return text


async def test_servers_that_are_not_there_are_told() -> None:
    settings = JetStreamSettings(servers=("nats://127.0.0.1:1", "nats://localhost:2"), connect_s=0.5)
    assert (await told(settings)).startswith("no NATS server answers at 127.0.0.1:1, localhost:2: ")


async def test_a_user_is_let_in_or_told(tmp_path: Path) -> None:
    for name, password in (("right", "s3cr3t\n"), ("wrong", "other")):
        (tmp_path / name).write_text(password)
    with NatsCluster(tmp_path / "nats", size=1, more=PASSWORD) as cluster:
        servers = tuple(cluster.urls)
        for settings in (
            JetStreamSettings(servers=servers),
            JetStreamSettings(servers=servers, user="me", password_file=str(tmp_path / "wrong")),
        ):
            assert "does not let this user in" in await told(settings)
        right = JetStreamSettings(servers=servers, user="me", password_file=str(tmp_path / "right"))
        await (await JetStreamConnection.open(right)).close()
        encrypted = tuple(url.replace("nats://", "tls://") for url in servers)
        settings = JetStreamSettings(servers=encrypted, user="me", password_file=str(tmp_path / "right"), connect_s=0.5)
        assert "does not speak TLS" in await told(settings), "and was told nothing"


async def test_tls_and_nkeys_let_in(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "stranger.pem")
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    seed = nkeys.encode_seed(random_bytes(32), nkeys.PREFIX_BYTE_USER)
    (tmp_path / "user.nk").write_bytes(seed + b"\n")
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    pem = tmp_path / "server.pem"
    more = f'tls {{ cert_file: "{pem}", key_file: "{pem}" }}\nauthorization {{ users: [ {{ nkey: {public} }} ] }}'
    with NatsCluster(tmp_path / "nats", size=1, more=more) as cluster:
        servers = tuple(url.replace("nats://", "tls://") for url in cluster.urls)
        good = JetStreamSettings(servers=servers, ca_file=str(tmp_path / "ca.pem"), nkey_file=str(tmp_path / "user.nk"))
        await (await JetStreamConnection.open(good)).close()
        nobody = JetStreamSettings(servers=servers, ca_file=str(tmp_path / "ca.pem"))
        assert "does not let this user in" in await told(nobody)
        other = JetStreamSettings(servers=servers, ca_file=str(tmp_path / "stranger.pem"), connect_s=0.5)
        assert "certificate verify failed" in await told(other)


async def test_a_credentials_file_lets_in(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "nats", size=1, more=operator_and_user(tmp_path)) as cluster:
        servers = tuple(cluster.urls)
        good = JetStreamSettings(servers=servers, credentials_file=str(tmp_path / "user.creds"))
        connection = await JetStreamConnection.open(good)
        await connection.api("STREAM.NAMES")
        await connection.close()
        operator_and_user(tmp_path)  # of another operator
        assert "does not let this user in" in await told(good)


async def test_servers_without_jetstream_are_told(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "off", size=1, jetstream=False) as cluster:
        settings = JetStreamSettings(servers=tuple(cluster.urls), patience_s=1.0)
        assert (await told(settings)).startswith("JetStream is off at 127.0.0.1:")
    more = "accounts { A: { users: [ { user: a, password: a } ] }, B: { jetstream: enabled, users: [ { user: b } ] } }"
    (tmp_path / "a").write_text("a")
    with NatsCluster(tmp_path / "account", size=1, more=more) as cluster:
        settings = JetStreamSettings(servers=tuple(cluster.urls), user="a", password_file=str(tmp_path / "a"))
        assert "JetStream not enabled for account" in await told(settings)


async def test_servers_that_take_short_messages_only_are_told(tmp_path: Path) -> None:
    with NatsCluster(tmp_path, size=1, more="max_payload: 1MB") as cluster:
        assert "at most 1048576 bytes" in await told(JetStreamSettings(servers=tuple(cluster.urls)))


async def test_a_stream_that_is_not_there_is_told(nats_cluster: NatsCluster) -> None:
    async with jetstream(nats_cluster) as connection:
        with pytest.raises(JournalError, match="there is no stream NOTHING"):
            await JetStreamJournal.open(connection, "acme", stream="NOTHING")


NOT_ALLOWED = [
    ('publish: ["$JS.API.INFO"]', r"may not ask \$JS\.API\.DIRECT\.GET\.TOCSIN"),
    ('publish: ["$JS.API.INFO", "$JS.API.DIRECT.>"]', r"may not ask \$JS\.API\.STREAM\.MSG\.GET\.TOCSIN"),
    ('publish: ["$JS.API.>"], subscribe: ["_OTHERS.>"]', r"may not listen to _INBOX\.>"),
]


@pytest.mark.parametrize(("allowed", "told"), NOT_ALLOWED)
async def test_what_a_user_may_not_ask_is_told_at_once(tmp_path: Path, allowed: str, told: str) -> None:
    more = f"authorization {{ users: [ {{ user: me, password: me, permissions: {{ {allowed} }} }} ] }}"
    (tmp_path / "me").write_text("me")
    with NatsCluster(tmp_path / "nats", size=1, more=more) as cluster:
        settings = JetStreamSettings(
            servers=tuple(cluster.urls), user="me", password_file=str(tmp_path / "me"), patience_s=SOON_S
        )
        with pytest.raises(JournalError, match=told) as caught:
            await read_within_an_attempt(settings)
        assert "permissions" in (caught.value.hint or "")


async def test_a_key_that_cannot_be_read_for_a_moment_does_no_harm(tmp_path: Path) -> None:
    seed = nkeys.encode_seed(random_bytes(32), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    (tmp_path / "user.nk").write_bytes(seed)
    with NatsCluster(tmp_path / "nats", size=1, more=f"authorization {{ users: [ {{ nkey: {public} }} ] }}") as cluster:
        settings = JetStreamSettings(
            servers=tuple(cluster.urls), nkey_file=str(tmp_path / "user.nk"), connect_s=1.0, patience_s=0.3
        )
        async with connected(settings) as connection:
            (tmp_path / "user.nk").write_text("")  # as it is written anew
            cluster.nodes[0].kill()
            await until(connection, connected=False)
            cluster.nodes[0].start()
            with (
                capture_logs() as logs,
                pytest.raises(JournalUnreachable, match=r"not connected: nkey_file .* holds no seed of a user"),
            ):
                await ask_until_told(connection, "nkey")
            assert [(log["event"], "holds no seed" in log["error"]) for log in logs] == [
                ("journal.not_connected", True)
            ]
            (tmp_path / "user.nk").write_bytes(seed)
            await until(connection, connected=True)


async def test_a_connection_outlives_its_server_and_a_server_that_refuses_it_for_a_while(tmp_path: Path) -> None:
    (tmp_path / "right").write_text("s3cr3t")
    with NatsCluster(tmp_path / "nats", size=1, more=PASSWORD) as cluster:
        (node,) = cluster.nodes
        settings = JetStreamSettings(
            servers=tuple(cluster.urls), user="me", password_file=str(tmp_path / "right"), patience_s=SOON_S
        )
        connection = await JetStreamConnection.open(settings)
        one_server = STREAM.__class__(name="TOCSIN", subjects=STREAM.subjects, replicas=1)
        await make(connection, [one_server])
        journal = await JetStreamJournal.open(connection, "acme", look_again_s=SOON_S)
        await journal.append("a", b"before")
        node.kill()
        appending = asyncio.create_task(journal.append("a", b"while it was down"))
        await asyncio.sleep(0.1)
        node.start()
        await appending
        for right, wrong in (("me", "you"), ("you", "me")):  # its user is unknown for a while, and it is cut off
            await reload(node, right, wrong)
            await until(connection, connected=wrong == "me")
        follower = journal.follow(await journal.last())
        following = asyncio.ensure_future(anext(follower))
        await JetStreamJournal(connection, "acme", "TOCSIN", SOON_S).append("a", b"after")
        async with asyncio.timeout(SOON_S / 2):
            assert [entry.body for entry in await following] == [b"after"], "and its news are heard again"
        assert [entry.body for entry in await journal.read()] == [b"before", b"while it was down", b"after"]
        await journal.close()
        await connection.close()


@pytest.mark.parametrize("reason", ["account authentication expired", "maximum connections exceeded", "whatever"])
async def test_a_client_that_is_told_to_go_comes_again(nats_cluster: NatsCluster, reason: str) -> None:
    async with Proxy(nats_cluster.nodes[0].port) as proxy, jetstream(nats_cluster) as other:
        await make(other, [STREAM])
        async with jetstream(nats_cluster, f"nats://127.0.0.1:{proxy.port}") as connection:
            name = uuid4().hex
            journal = await JetStreamJournal.open(connection, name, look_again_s=SOON_S)
            await journal.append("a", b"before")
            proxy.say(f"-ERR '{reason}'\r\n".encode())
            async with asyncio.timeout(SOON_S):
                while proxy.accepted < 2:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            after = await journal.append("a", b"after")
            following = asyncio.ensure_future(anext(journal.follow(after)))
            teller = await JetStreamJournal.open(other, name)
            async with asyncio.timeout(SOON_S / 2):
                while not following.done():  # what was said before all servers know who listens is not heard
                    await teller.append("a", b"news")
                    await asyncio.sleep(0.1)
            assert {entry.body for entry in await following} == {b"news"}
            for each in (journal, teller):
                await each.close()


async def test_a_leader_that_is_cut_off_is_not_asked_what_is_so(tmp_path: Path) -> None:
    with NatsCluster(tmp_path) as cluster:
        async with jetstream(cluster) as connection:
            await make(connection, [STREAM])
            seq = await (await JetStreamJournal.open(connection, "acme")).append("a", b"")
        leader = cluster.leader("TOCSIN")
        async with jetstream(cluster, leader.url, patience_s=2.0) as connection:
            journal = await JetStreamJournal.open(connection, "acme")
            hanging = cluster.followers("TOCSIN")
            for node in hanging:
                node.pause()
            question = b'{"last_by_subj":"tocsin.journal.acme.a"}'
            with pytest.raises(JournalUnreachable, match="cut off"):
                await ask_for_ever(journal)
            answer = await connection.ask("$JS.API.STREAM.MSG.GET.TOCSIN", question, None, SOON_S)
            assert b'"message"' in answer.data, "though it answers"
            for node in hanging:
                node.resume()
            await journal.close()
        async with jetstream(cluster, patience_s=SOON_S) as connection:
            journal = await JetStreamJournal.open(connection, "acme")
            assert await journal.last("a") == seq
            await journal.close()


async def test_a_server_that_takes_nothing_more_is_left(nats_cluster: NatsCluster) -> None:
    async with Proxy(nats_cluster.nodes[0].port) as proxy:
        settings = JetStreamSettings(servers=(f"nats://127.0.0.1:{proxy.port}",), connect_s=10 * SOON_S)
        async with connected(settings) as connection:
            proxy.requests_flow.clear()
            flood = [asyncio.ensure_future(connection.tell("flood", bytes(2**20))) for _ in range(20)]
            async with asyncio.timeout(SOON_S):
                while proxy.accepted < 2:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            proxy.requests_flow.set()
            await asyncio.gather(*flood)
            await connection.api("INFO")


@asynccontextmanager
async def connected(settings: JetStreamSettings) -> AsyncIterator[JetStreamConnection]:
    connection = await JetStreamConnection.open(settings)
    try:
        yield connection
    finally:
        await connection.close()


async def read_within_an_attempt(settings: JetStreamSettings) -> None:
    async with asyncio.timeout(ATTEMPT_S * 0.8), connected(settings) as connection:
        await Followed(connection, "TOCSIN", "a").beyond(0)


async def ask_until_told(connection: JetStreamConnection, why: str) -> None:
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                await connection.api("INFO")
            except JournalUnreachable as error:
                if why in error.why:
                    raise


async def ask_for_ever(journal: JetStreamJournal) -> None:
    async with asyncio.timeout(SOON_S):
        while True:
            assert await journal.last("a") > 0


async def reload(node: NatsNode, user: str, other: str) -> None:
    config = node.folder / "server.conf"
    config.write_text(config.read_text().replace(f"user: {user},", f"user: {other},"))
    node.reload()


async def until(connection: JetStreamConnection, *, connected: bool) -> None:
    async with asyncio.timeout(SOON_S):
        while connection.is_connected is not connected:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
