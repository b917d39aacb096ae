"""What every journal promises. The in-memory twin is trusted because it passes here beside the real ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from support.jetstream import STREAM, jetstream
from support.nats_cluster import NatsCluster
from tocsin.journal import (
    MAX_ENTRY_BYTES,
    READ_BYTES,
    Entry,
    Journal,
    JournalConflict,
    JournalError,
    MemoryJournal,
    SqliteJournal,
)
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.journal.jetstream.declared import make

SOON_S = 10.0


@pytest.fixture(params=["memory", "sqlite", pytest.param("jetstream", marks=pytest.mark.slow)])
async def writers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Journal, Journal]]:
    """Two who share one journal, as two processes would."""
    if request.param == "jetstream":
        async with jetstream_writers(request.getfixturevalue("nats_cluster")) as both:
            yield both
        return
    first: Journal
    second: Journal
    if request.param == "memory":
        first = second = MemoryJournal()
    else:
        first = await SqliteJournal.open(tmp_path / "journal.db")
        second = await SqliteJournal.open(tmp_path / "journal.db")
    yield first, second
    await first.close()
    await second.close()


@asynccontextmanager
async def jetstream_writers(cluster: NatsCluster) -> AsyncIterator[tuple[Journal, Journal]]:
    """Over two connections, on one of many journals in a stream that others use as well."""
    async with jetstream(cluster) as first, jetstream(cluster) as second:
        await make(first, [STREAM])
        name = uuid4().hex
        other = await JetStreamJournal.open(first, f"{name}-other")
        await other.append("a", b"of another")
        await other.append("a.b", b"of another")
        journals = [await JetStreamJournal.open(connection, name) for connection in (first, second)]
        yield journals[0], journals[1]
        for journal in (*journals, other):
            await journal.close()


@pytest.fixture
def journal(writers: tuple[Journal, Journal]) -> Journal:
    return writers[0]


async def take(journal: Journal, count: int, after: int = 0) -> list[Entry]:
    """The first `count` entries that a follower is given."""
    taken: list[Entry] = []
    async with asyncio.timeout(SOON_S):
        async for batch in journal.follow(after):
            assert batch, "a follower is never woken for nothing"
            taken += batch
            if len(taken) >= count:
                break
    return taken


async def read_on(journal: Journal, after: int = 0) -> list[Entry]:
    """All that a reader finds beyond `after`: a read may give fewer than there are, but none only when it has all."""
    found: list[Entry] = []
    while batch := await journal.read(found[-1].seq if found else after):
        found += batch
    return found


async def is_left(journal: Journal, seqs: list[int], *, after: int = 0) -> bool:
    """Whether a reader finds these and no others, once the replica it reads from has heard what was forgotten."""
    async with asyncio.timeout(SOON_S):
        while [entry.seq for entry in await read_on(journal, after)] != seqs:  # noqa: ASYNC110 - no replica tells
            await asyncio.sleep(0.01)
    return True


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert await journal.last() == 0
    assert await journal.last("a") == 0
    assert await journal.read() == []
    assert await journal.get(1) is None


async def test_entries_come_back_in_the_order_they_were_accepted(journal: Journal) -> None:
    bodies = [b"first", b"", b"\x00\xff", b"last"]
    seqs = [await journal.append(f"topic.{n % 2}", body) for n, body in enumerate(bodies)]
    assert seqs[0] >= 1
    assert seqs == sorted(set(seqs))
    assert await read_on(journal) == [Entry(seqs[n], f"topic.{n % 2}", body) for n, body in enumerate(bodies)]


async def test_one_read_gives_what_lies_beyond_a_seq_up_to_the_limit(journal: Journal) -> None:
    seqs = [await journal.append("a", b"%d" % n) for n in range(10)]
    assert [e.seq for e in await read_on(journal, seqs[3])] == seqs[4:]
    two = [e.seq for e in await journal.read(seqs[3], limit=2)]
    assert two
    assert two == seqs[4:6][: len(two)]
    assert await journal.read(seqs[-1]) == []
    assert [e.seq for e in await read_on(journal, -1)] == seqs
    assert await journal.read(10**30) == []


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_one_is_a_mistake(journal: Journal, limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        await journal.read(limit=limit)


async def test_one_read_is_bounded_in_bytes_and_nothing_is_left_out(journal: Journal) -> None:
    fit = READ_BYTES // MAX_ENTRY_BYTES
    bodies = [b"%d" % (n % 10) * MAX_ENTRY_BYTES for n in range(fit + 1)]
    await asyncio.gather(*(journal.append("big", body) for body in bodies))
    first = await journal.read()
    assert 0 < len(first) <= fit
    assert [e.body for e in first + await read_on(journal, first[-1].seq)] == bodies


@pytest.mark.slow
async def test_of_a_stream_one_question_gets_many(nats_cluster: NatsCluster) -> None:
    async with jetstream_writers(nats_cluster) as (journal, _):
        seqs = [await journal.append(f"a.{n % 2}", b"") for n in range(10)]
        await journal.append("a.0", b"")
        for after, beyond in ((0, seqs), (seqs[3], seqs[4:])):
            async with asyncio.timeout(SOON_S):
                while [e.seq for e in await journal.read(after, limit=len(beyond))] != beyond:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # whoever was asked had not all yet


@pytest.mark.slow
async def test_two_of_one_name_over_one_connection_both_hear_of_others(nats_cluster: NatsCluster) -> None:
    async with jetstream_writers(nats_cluster) as (other, writer), jetstream(nats_cluster) as connection:
        assert isinstance(writer, JetStreamJournal)
        both = [await JetStreamJournal.open(connection, writer.name, look_again_s=10 * SOON_S) for _ in range(2)]
        for journal in (both[1], both[0]):  # the later one goes first
            following = asyncio.ensure_future(anext(journal.follow(await journal.last())))
            async with asyncio.timeout(SOON_S):
                while not following.done():  # what is said before all servers know who listens is not heard
                    await writer.append("a", b"news")
                    await asyncio.sleep(0.05)
            assert {entry.body for entry in await following} == {b"news"}
            await journal.close()
        assert await other.last() == await writer.last()


async def test_get_finds_exactly_one(journal: Journal) -> None:
    seq = await journal.append("a", b"body")
    assert await journal.get(seq) == Entry(seq, "a", b"body")
    for absent in (seq + 1, 0, -1, 10**30):
        assert await journal.get(absent) is None


async def test_the_last_of_a_topic_is_not_that_of_its_neighbours(journal: Journal) -> None:
    first = await journal.append("a", b"")
    second = await journal.append("a.b", b"")
    third = await journal.append("A", b"")
    assert [await journal.last(topic) for topic in ("a", "a.b", "A", "b")] == [first, second, third, 0]
    assert await journal.last() == third


async def test_the_last_of_a_branch_is_that_of_all_its_topics(journal: Journal) -> None:
    seqs = [await journal.append(topic, b"") for topic in ("a.b", "a", "a.c", "ab.c", "a.b.d", "b", "A.b")]
    assert [await journal.last(branch) for branch in ("a.", "a.b.", "ab.", "c.")] == [seqs[4], seqs[4], seqs[3], 0]


async def test_a_stale_writer_is_told_and_writes_nothing(journal: Journal) -> None:
    seq = await journal.append("target.acme", b"first", expect_last=0)
    await journal.append("target.other", b"apart")
    with pytest.raises(JournalConflict) as caught:
        await journal.append("target.acme", b"late", expect_last=0)
    assert (caught.value.topic, caught.value.expected, caught.value.last) == ("target.acme", 0, seq)
    assert [e.body for e in await read_on(journal)] == [b"first", b"apart"]
    newer = await journal.append("target.acme", b"in time", expect_last=seq)
    assert await journal.last("target.acme") == newer


async def test_of_many_who_expect_the_same_last_one_wins(writers: tuple[Journal, Journal]) -> None:
    race = [writers[n % 2].append("a", b"%d" % n, expect_last=0) for n in range(20)]
    results = await asyncio.gather(*race, return_exceptions=True)
    (winner,) = [result for result in results if isinstance(result, int)]
    losers = [result for result in results if isinstance(result, JournalConflict)]
    assert len(losers) == len(race) - 1
    assert {loser.last for loser in losers} == {winner}
    assert [e.seq for e in await read_on(writers[1])] == [winner]


async def test_a_conflict_fails_no_one_else(journal: Journal) -> None:
    stale = [journal.append("a", b"stale", expect_last=99) for _ in range(10)]
    good = [journal.append("a", b"good") for _ in range(10)]
    results = await asyncio.gather(*stale, *good, return_exceptions=True)
    assert all(isinstance(result, JournalConflict) for result in results[:10])
    assert [e.seq for e in await read_on(journal)] == results[10:]


@pytest.mark.parametrize("topic", ["", ".", "a.", ".a", "a..b", "a b", "a/b", "ä", "a\n", "*", "a.>"])
async def test_a_topic_is_words_joined_by_dots(journal: Journal, topic: str) -> None:
    with pytest.raises(ValueError, match="is not a topic"):
        await journal.append(topic, b"")
    assert await journal.last() == 0


@pytest.mark.parametrize("topic", ["a", "client.00u1_x-Y.requests", "-", "9"])
async def test_words_of_a_topic_take_letters_digits_and_two_signs(journal: Journal, topic: str) -> None:
    assert await journal.last(topic) != await journal.append(topic, b"")


async def test_a_body_has_a_longest_length(journal: Journal) -> None:
    longest = bytes(MAX_ENTRY_BYTES)
    with pytest.raises(ValueError, match="too long"):
        await journal.append("a", longest + b"x")
    seq = await journal.append("a", longest)
    assert await journal.get(seq) == Entry(seq, "a", longest)


async def test_what_is_forgotten_is_of_one_branch_and_older_and_never_the_last_of_its_topic(journal: Journal) -> None:
    topics = ["risk.a", "risk.b", "risk", "risks.a", "Risk.a", "token", "risk.a.c", "risk.a", "risk.a", "risk.b"]
    seqs = [await journal.append(topic, topic.encode()) for topic in topics]
    assert await journal.forget("risk.", seqs[8]) == 3
    assert await is_left(journal, [seqs[n] for n in (2, 3, 4, 5, 6, 8, 9)])
    assert await journal.forget("risk.", 10**30) == 0
    assert await journal.forget("token.", 10**30) == 0
    assert await is_left(journal, [seqs[n] for n in (2, 3, 4, 5, 6, 8, 9)], after=seqs[0])
    assert await journal.get(seqs[0]) is None


async def test_what_is_forgotten_is_the_last_of_nothing(journal: Journal) -> None:
    lasts = [await journal.append(topic, b"") for topic in ("risk.a", "token", "risk.a", "risk.b")]
    assert await journal.forget("risk.", 10**30) == 1
    assert [await journal.last(topic) for topic in ("risk.a", "token", "risk.b", None)] == [
        lasts[n] for n in (2, 1, 3, 3)
    ]
    with pytest.raises(JournalConflict):
        await journal.append("risk.a", b"", expect_last=lasts[0])
    assert await journal.append("risk.a", b"", expect_last=lasts[2]) > lasts[3]


async def test_many_are_forgotten_while_others_append_and_follow(writers: tuple[Journal, Journal]) -> None:
    old = await asyncio.gather(*(writers[0].append("risk.a", bytes(20_000)) for _ in range(100)))
    forgetting = [asyncio.create_task(writer.forget("risk.", old[-1] + 1)) for writer in writers]
    follower = asyncio.create_task(take(writers[1], 50, after=old[-1]))
    new = await asyncio.gather(*(writers[n % 2].append("risk.a", b"%d" % n) for n in range(50)))
    forgotten = sum(await asyncio.gather(*forgetting)) + await writers[0].forget("risk.", old[-1] + 1)
    assert forgotten == len(old)
    assert [entry.seq for entry in await follower] == sorted(new)
    assert await is_left(writers[0], sorted(new))


async def test_what_is_forgotten_of_a_topic_is_of_no_other(journal: Journal) -> None:
    topics = ["risk", "risk", "risk.a", "risk.a", "risks", "risks", "Risk", "Risk", "risk"]
    seqs = [await journal.append(topic, b"") for topic in topics]
    assert await journal.forget("risk", seqs[8]) == 2
    assert await is_left(journal, seqs[2:])
    assert await journal.forget("risk", 10**30) == 0
    assert await journal.forget("token", 10**30) == 0
    assert await journal.last("risk") == seqs[8]
    assert await is_left(journal, seqs[2:])


@pytest.mark.parametrize("topic", ["", ".", "risk..", "ri*.", "ris*", "risk.>", ">"])
async def test_what_is_forgotten_is_whole_words(journal: Journal, topic: str) -> None:
    seqs = [await journal.append("risk.a", b"") for _ in range(2)]
    with pytest.raises(ValueError, match="neither a topic nor a branch"):
        await journal.forget(topic, 10**30)
    assert [entry.seq for entry in await read_on(journal)] == seqs


async def test_followers_see_every_entry_once_and_in_order_while_others_append(
    writers: tuple[Journal, Journal],
) -> None:
    count = 200
    followers = [asyncio.create_task(take(writer, count)) for writer in writers]
    late = asyncio.create_task(take(writers[0], count - 50, after=50))
    appended = await asyncio.gather(*(writers[n % 2].append("a", b"%d" % n) for n in range(count)))
    entries = [Entry(seq, "a", b"%d" % n) for seq, n in sorted(zip(appended, range(count), strict=True))]
    assert await followers[0] == entries
    assert await followers[1] == entries
    seen = await late
    assert seen == [entry for entry in entries if entry.seq > 50][: len(seen)]


async def test_a_follower_that_waits_is_woken_by_either_writer(writers: tuple[Journal, Journal]) -> None:
    follower = writers[0].follow()
    async with asyncio.timeout(SOON_S):
        for writer in (*writers, *writers):
            waiting = asyncio.ensure_future(anext(follower))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            seq = await writer.append("a", b"news")
            assert [e.seq for e in await waiting] == [seq]


async def test_followers_end_when_the_journal_is_closed(journal: Journal) -> None:
    await journal.append("a", b"")

    async def count() -> int:
        return sum([len(batch) async for batch in journal.follow()])

    followers = [asyncio.create_task(count()) for _ in range(2)]
    await asyncio.sleep(0.01)
    await journal.close()
    async with asyncio.timeout(SOON_S):
        assert await asyncio.gather(*followers) == [1, 1]
    assert [batch async for batch in journal.follow()] == []


async def test_close_finishes_what_was_asked_before(journal: Journal) -> None:
    asked = [asyncio.create_task(journal.append("a", b"%d" % n)) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(journal.close(), journal.close())
    async with asyncio.timeout(SOON_S):
        seqs = await asyncio.gather(*asked)
    assert seqs == sorted(set(seqs))


async def test_a_closed_journal_says_so(journal: Journal) -> None:
    await journal.close()
    await journal.close()
    for refused in (journal.append("a", b""), journal.last(), journal.get(1), journal.read(), journal.forget("a.", 9)):
        with pytest.raises(JournalError, match="closed"):
            await refused


async def test_who_is_cancelled_while_it_appends_ends(journal: Journal) -> None:
    async def append_for_ever() -> None:
        while True:
            await journal.append("a", b"")

    async with asyncio.timeout(SOON_S):
        for round_ in range(20):
            tasks = [asyncio.create_task(append_for_ever()) for _ in range(20)]
            await asyncio.sleep(0.001 * round_)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(error, asyncio.CancelledError) for error in ended)


async def test_a_cancelled_append_disturbs_no_one(journal: Journal) -> None:
    appends = [asyncio.create_task(journal.append("a", b"%d" % n)) for n in range(40)]
    await asyncio.sleep(0)
    for cancelled in appends[::2]:
        cancelled.cancel()
    async with asyncio.timeout(SOON_S):
        results = await asyncio.gather(*appends, return_exceptions=True)
    kept = [(seq, b"%d" % n) for n, seq in enumerate(results) if isinstance(seq, int)]
    assert len(kept) >= 20
    found = [(e.seq, e.body) for e in await read_on(journal)]
    assert set(kept) <= set(found)
    assert len({body for _, body in found}) == len(found)
