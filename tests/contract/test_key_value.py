"""What every key-value table promises. The in-memory twin is trusted because it passes here beside the real one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from support.jetstream import jetstream
from tocsin.journal import JournalConflict, JournalError
from tocsin.journal.jetstream import JetStreamKeyValue
from tocsin.journal.jetstream.declared import BucketDeclared, make, stream_of
from tocsin.journal.key_value import MAX_VALUE_BYTES, KeyValue, MemoryKeyValue

LIFE_S = 1.0
SOON_S = 10.0


@pytest.fixture(params=["memory", pytest.param("jetstream", marks=pytest.mark.slow)])
async def tables(request: pytest.FixtureRequest) -> AsyncIterator[tuple[KeyValue, KeyValue]]:
    """Two who share one table, as two processes would."""
    if request.param == "memory":
        first = second = MemoryKeyValue(clock=time.time, life_s=LIFE_S)
        yield first, second
        await first.close()
        return
    cluster = request.getfixturevalue("nats_cluster")
    bucket = BucketDeclared(name=f"table_{uuid4().hex}", life_s=LIFE_S)
    async with jetstream(cluster) as one, jetstream(cluster) as other:
        await make(one, [bucket])
        both = [await JetStreamKeyValue.open(each, bucket.name, look_again_s=0.05) for each in (one, other)]
        yield both[0], both[1]
        for table in both:
            await table.close()
        await one.api(f"STREAM.DELETE.{stream_of(bucket.name)}")


async def test_what_is_put_is_seen_by_all_at_once(tables: tuple[KeyValue, KeyValue]) -> None:
    one, other = tables
    assert await one.get("a") is None
    revision = await one.put("a", b"1")
    kept = await other.get("a")
    assert kept is not None
    assert (kept.value, kept.revision) == (b"1", revision)
    assert abs(kept.written_ms / 1000 - time.time()) < 60
    assert await other.put("a", b"") > revision
    again = await one.get("a")
    assert again is not None
    assert again.value == b""


async def test_a_change_that_knew_another_revision_is_none(tables: tuple[KeyValue, KeyValue]) -> None:
    one, other = tables
    first = await one.put("a", b"1", revision=0)
    with pytest.raises(JournalConflict) as caught:
        await other.put("a", b"2", revision=0)
    assert (caught.value.expected, caught.value.last) == (0, first)
    second = await other.put("a", b"2", revision=first)
    for refused in (one.put("a", b"3", revision=first), one.delete("a", revision=first)):
        with pytest.raises(JournalConflict):
            await refused
    kept = await one.get("a")
    assert kept is not None
    assert (kept.value, kept.revision) == (b"2", second)


async def test_of_many_who_make_the_same_one_does(tables: tuple[KeyValue, KeyValue]) -> None:
    race = [tables[n % 2].put("a", b"%d" % n, revision=0) for n in range(20)]
    results = await asyncio.gather(*race, return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, JournalConflict) for result in results) == len(race) - 1


async def test_what_is_deleted_may_be_made_again(tables: tuple[KeyValue, KeyValue]) -> None:
    one, other = tables
    revision = await one.put("a", b"1")
    await other.delete("a", revision=revision)
    assert await one.get("a") is None
    await other.delete("a")
    assert await one.put("a", b"2", revision=0) > revision


async def test_all_are_those_of_a_branch(tables: tuple[KeyValue, KeyValue]) -> None:
    one, other = tables
    assert await one.all() == {}
    for key in ("a.b", "a.c", "ab", "a"):
        await one.put(key, key.encode())
    await one.delete("a.c")
    assert {key: kept.value for key, kept in (await other.all("a.")).items()} == {"a.b": b"a.b"}
    assert set(await other.all()) == {"a.b", "ab", "a"}


async def test_a_life_ends(tables: tuple[KeyValue, KeyValue]) -> None:
    await tables[0].put("a", b"1")
    async with asyncio.timeout(20):
        while await tables[1].get("a") is not None:  # noqa: ASYNC110 - nobody tells when a life ends
            await asyncio.sleep(0.05)
    assert await tables[1].all() == {}
    assert await tables[1].put("a", b"2", revision=0) > 1


async def test_who_watches_is_told_what_stands_and_then_what_changes(tables: tuple[KeyValue, KeyValue]) -> None:
    one, other = tables
    for key in ("a", "b", "c"):
        await one.put(key, b"1")
    await one.delete("c")
    told: list[dict[str, bytes | None]] = []

    async def watch() -> None:
        async for changed in other.watch():
            told.append({key: kept and kept.value for key, kept in changed.items()})  # noqa: PERF401 - as they come

    watching = asyncio.create_task(watch())
    await until(lambda: told == [{"a": b"1", "b": b"1"}])
    await one.put("b", b"2")
    await until(lambda: told[1:] == [{"b": b"2"}])
    await one.delete("a")
    await until(lambda: told[2:] == [{"a": None}])
    await one.put("d", b"1")
    await until(lambda: told[3:] == [{"d": b"1"}])
    await other.close()
    async with asyncio.timeout(SOON_S):
        await watching


async def test_who_watches_an_empty_table_is_told_so(tables: tuple[KeyValue, KeyValue]) -> None:
    async with asyncio.timeout(SOON_S):
        watching = tables[0].watch()
        assert await anext(watching) == {}
        await tables[1].put("a", b"1")
        assert set(await anext(watching)) == {"a"}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not true():  # noqa: ASYNC110 - what is looked at is a list
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("key", ["", ".", "a.", "a..b", "a b", "a*", "a.>", "ä", "a/b"])
async def test_a_key_is_words_joined_by_dots(tables: tuple[KeyValue, KeyValue], key: str) -> None:
    for refused in (tables[0].get(key), tables[0].put(key, b""), tables[0].delete(key)):
        with pytest.raises(ValueError, match="is not a key"):
            await refused


async def test_a_value_has_a_longest_length(tables: tuple[KeyValue, KeyValue]) -> None:
    with pytest.raises(ValueError, match="too long"):
        await tables[0].put("a", bytes(MAX_VALUE_BYTES + 1))
    await tables[0].put("a", bytes(MAX_VALUE_BYTES))


async def test_a_closed_table_says_so(tables: tuple[KeyValue, KeyValue]) -> None:
    await tables[0].close()
    await tables[0].close()
    for refused in (tables[0].get("a"), tables[0].put("a", b""), tables[0].delete("a"), tables[0].all()):
        with pytest.raises(JournalError, match="closed"):
            await refused
