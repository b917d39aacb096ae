"""What is declared is made once, compared with what is there, and never changed behind anyone's back."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from tocsin.journal import JournalError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamKeyValue
from tocsin.journal.jetstream.appending import append
from tocsin.journal.jetstream.declared import (
    BucketDeclared,
    StreamDeclared,
    differences,
    make,
    stream_of,
    what_differs,
)

pytestmark = pytest.mark.slow


@pytest.fixture
async def connection(nats_cluster: NatsCluster) -> AsyncIterator[JetStreamConnection]:
    async with jetstream(nats_cluster) as opened:
        yield opened


def declared(name: str, *, replicas: int = 3) -> list[StreamDeclared | BucketDeclared]:
    return [
        StreamDeclared(name=f"S_{name}", subjects=(f"declared.{name}.>",), replicas=replicas),
        StreamDeclared(name=f"L_{name}", subjects=(f"living.{name}.>",), life_s=60, max_bytes=10_000_000),
        BucketDeclared(name=f"B_{name}"),
        BucketDeclared(name=f"L_{name}", life_s=420),
    ]


async def test_what_is_missing_is_made_once(connection: JetStreamConnection) -> None:
    wanted = declared(uuid4().hex)
    assert [found.missing for found in await differences(connection, wanted)] == [True] * 4
    assert sorted(await make(connection, wanted)) == sorted(one.config()["name"] for one in wanted)
    assert await differences(connection, wanted) == []
    assert await make(connection, wanted) == []


async def test_who_writes_a_key_cannot_drop_the_others(connection: JetStreamConnection) -> None:
    bucket = BucketDeclared(name=uuid4().hex)
    await make(connection, [bucket])
    table = await JetStreamKeyValue.open(connection, bucket.name)
    await table.put("a", b"kept")
    key, dropping = f"$KV.{bucket.name}.b", {"Nats-Rollup": "all"}
    with pytest.raises(JournalError, match="rollup"):
        await append(connection, stream_of(bucket.name), key, b"", headers=dropping, what="b")
    assert list(await table.all()) == ["a"]
    await table.close()


async def test_what_is_there_with_other_settings_stays_and_nothing_is_made(connection: JetStreamConnection) -> None:
    name = uuid4().hex
    stream, other, *_ = declared(name)
    await make(connection, declared(name, replicas=1)[:1])
    (found,) = await differences(connection, [stream])
    assert (found.name, found.text) == (f"S_{name}", "num_replicas 1 instead of 3")
    with pytest.raises(JournalError, match="num_replicas 1 instead of 3; nothing was made") as caught:
        await make(connection, [other, stream])
    assert caught.value.hint
    assert [found.missing for found in await differences(connection, [other])] == [True]


def test_how_long_something_is_kept_is_told_in_seconds() -> None:
    bucket = BucketDeclared(name="b", life_s=1.6)
    there = bucket.config() | {"max_age": 12 * 10**9}
    assert what_differs(bucket, there) == ["max_age 12 s instead of 1.6 s"]


async def test_too_few_servers_for_the_replicas_are_told_and_nothing_is_made(tmp_path: Path) -> None:
    name = uuid4().hex
    few = StreamDeclared(name=f"FEW_{name}", subjects=(f"few.{name}",), replicas=1)
    with NatsCluster(tmp_path, size=1) as cluster:
        async with jetstream(cluster) as connection:
            with pytest.raises(JournalError, match="cannot be made") as caught:
                await make(connection, [few, *declared(name)])
            assert "3 replicas need as many servers" in str(caught.value.hint)
            assert all(found.missing for found in await differences(connection, [few, *declared(name)]))


async def test_subjects_that_another_stream_has_are_told(connection: JetStreamConnection) -> None:
    name = uuid4().hex
    await make(connection, declared(name)[:1])
    with pytest.raises(JournalError, match="subjects overlap"):
        await make(connection, [StreamDeclared(name=f"T_{name}", subjects=(f"declared.{name}.a",))])
