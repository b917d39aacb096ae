"""A random run of operations on a journal gives what the simplest model, a list, gives."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from tocsin.journal import Entry, Journal, JournalConflict, MemoryJournal, SqliteJournal
from tocsin.journal.jetstream import JetStreamJournal
from tocsin.journal.jetstream.declared import StreamDeclared, make


class Add(NamedTuple):
    topic: str
    body: bytes
    expect_last: int | None = None


class AddAll(NamedTuple):
    """Several appends that are waited for together."""

    adds: list[Add]


class ExpectRight(NamedTuple):
    """An append that expects what is so."""

    topic: str
    body: bytes


class Read(NamedTuple):
    after: int
    limit: int


class Get(NamedTuple):
    seq: int


class Last(NamedTuple):
    topic: str | None


class Forget(NamedTuple):
    branch: str
    before: int


class Reopen(NamedTuple):
    pass


Operation = Add | AddAll | ExpectRight | Read | Get | Last | Forget | Reopen
Open = Callable[[], Awaitable[Journal]]

TOPICS = st.sampled_from(["a", "a.b", "a.c", "B_1"])
BODIES = st.binary(max_size=20)
SEQS = st.integers(-1, 12) | st.integers()
ADDS = st.builds(Add, TOPICS, BODIES, st.none() | SEQS)
OPERATIONS = st.one_of(
    ADDS,
    st.builds(AddAll, st.lists(ADDS, max_size=6)),
    st.builds(ExpectRight, TOPICS, BODIES),
    st.builds(Read, SEQS, st.integers(1, 5)),
    st.builds(Get, SEQS),
    st.builds(Last, st.none() | TOPICS),
    st.builds(Forget, st.sampled_from(["a.", "a.b.", "B_1."]), SEQS),
    st.builds(Reopen),
)


class Model:
    """A journal is a list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.appended = 0

    def add(self, add: Add) -> int | None:
        if add.expect_last not in (None, self.last(add.topic)):
            return None
        self.appended += 1
        self.entries.append(Entry(self.appended, add.topic, add.body))
        return self.appended

    def forget(self, forget: Forget) -> int:
        lasts = {entry.topic: entry.seq for entry in self.entries}
        gone = [
            e for e in self.entries if e.topic.startswith(forget.branch) and e.seq < min(forget.before, lasts[e.topic])
        ]
        self.entries = [entry for entry in self.entries if entry not in gone]
        return len(gone)

    def last(self, topic: str | None) -> int:
        return max((e.seq for e in self.entries if topic in (None, e.topic)), default=0)


async def add_to(journal: Journal, add: Add) -> int | None:
    try:
        return await journal.append(*add[:2], expect_last=add.expect_last)
    except JournalConflict:
        return None


async def step(journal: Journal, model: Model, operation: Operation) -> None:
    match operation:
        case Add():
            assert await add_to(journal, operation) == model.add(operation)
        case AddAll(adds):
            assert await asyncio.gather(*(add_to(journal, add) for add in adds)) == [model.add(add) for add in adds]
        case ExpectRight(topic, body):
            add = Add(topic, body, expect_last=model.last(topic))
            seq = await add_to(journal, add)
            assert seq is not None
            assert seq == model.add(add)
        case Read(after, limit):
            expected = [e for e in model.entries if e.seq > after][:limit]
            await settled(lambda: journal.read(after, limit=limit), expected)
        case Get(seq):
            assert await journal.get(seq) == next((e for e in model.entries if e.seq == seq), None)
        case Last(topic):
            assert await journal.last(topic) == model.last(topic)
        case Forget(branch, before):
            assert await journal.forget(branch, before) == model.forget(operation)
        case Reopen():
            pass


async def settled(read: Callable[[], Awaitable[list[Entry]]], entries: list[Entry]) -> None:
    """These are read, at the latest when the replica that is asked has heard what was forgotten."""
    for _ in range(300):
        if (found := await read()) == entries:
            return
        await asyncio.sleep(0.01)
    assert found == entries


async def run(open_journal: Open, operations: list[Operation]) -> None:
    journal, model = await open_journal(), Model()
    try:
        for operation in operations:
            if isinstance(operation, Reopen):
                await journal.close()
                journal = await open_journal()
            await step(journal, model, operation)
        await settled(journal.read, model.entries)
    finally:
        await journal.close()


def expects(operation: Operation) -> bool:
    """Several at once of which some expect: on servers their order is not that of a list."""
    return isinstance(operation, AddAll) and any(add.expect_last is not None for add in operation.adds)


@given(st.lists(OPERATIONS.filter(lambda o: not isinstance(o, Reopen)), max_size=30))
def test_the_twin_is_a_list(operations: list[Operation]) -> None:
    async def in_memory() -> Journal:
        return MemoryJournal()

    asyncio.run(run(in_memory, operations))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(OPERATIONS, max_size=30))
def test_a_file_is_a_list_that_outlives_its_process(operations: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def on_disk() -> Journal:
            return await SqliteJournal.open(Path(folder) / "journal.db")

        asyncio.run(run(on_disk, operations))


@pytest.mark.slow
@settings(deadline=None, max_examples=int(os.environ.get("TOCSIN_SOAK_EXAMPLES", "15")))
@given(operations=st.lists(OPERATIONS.filter(lambda operation: not expects(operation)), max_size=30))
def test_a_stream_on_three_servers_is_a_list(nats_cluster: NatsCluster, operations: list[Operation]) -> None:
    async def on_a_new_stream() -> None:
        async with jetstream(nats_cluster) as connection:
            name = f"MODEL_{uuid4().hex}"
            await make(connection, [StreamDeclared(name=name, subjects=(f"{name}.>",))])
            await run(lambda: JetStreamJournal.open(connection, "acme", stream=name, root=name), operations)
            await connection.api(f"STREAM.DELETE.{name}")

    asyncio.run(on_a_new_stream())
