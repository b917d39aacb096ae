"""Pages of the System Log, followed to their end, are what a look at everything gives: order, bounds, filter, limit."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.journal import MemoryJournal
from tocsin.org.config import LogConfig
from tocsin.org.log.filters.matching import matches
from tocsin.org.log.filters.parser import parse_filter
from tocsin.org.log.finish import finish
from tocsin.org.log.index import LogIndex
from tocsin.org.log.query import Cursor, Order, Query
from tocsin.org.log.render import drafts
from tocsin.org.log.system_log import SystemLog
from tocsin.org.records import (
    RATE_LIMIT_TOPIC,
    TOKEN_TOPIC,
    Author,
    AuthorKind,
    Deed,
    RateLimitExceeded,
    Record,
    TokenRevoked,
    encode_record,
    record_of,
)
from tocsin.signals import parse_timestamp, to_ms

pytestmark = pytest.mark.slow

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS
OLDEST_MS = NOW_MS - 90 * DAY_MS
FILTERS = [
    None,
    'eventType eq "system.api_token.revoke"',
    'eventType sw "system.org" and actor.id eq "a"',
    'not eventType co "token" or actor.id eq "b"',
    'actor.id eq "a" or actor.id eq "b"',
    'eventType eq "nothing"',
    'target.id eq "t1"',
]
times = st.sampled_from([OLDEST_MS - 1, OLDEST_MS, *(NOW_MS - 10 + step for step in range(8))])
deeds = st.builds(Deed, times, st.builds(Author, st.just(AuthorKind.TOKEN), st.sampled_from("abc"), st.just("n")))
records: st.SearchStrategy[Record] = st.builds(TokenRevoked, deeds, st.sampled_from(["t1", "t2"])) | st.builds(
    RateLimitExceeded, deeds, st.just("api"), st.just("/api/v1/"), st.just(1), st.just(1)
)
queries = st.builds(
    Query,
    order=st.sampled_from(Order),
    since_ms=times,
    until_ms=times,
    node=st.sampled_from(FILTERS).map(lambda text: None if text is None else parse_filter(text)),
    limit=st.integers(1, 5),
)


@settings(max_examples=60)
@given(st.lists(records, max_size=12), queries)
def test_pages_are_what_a_look_at_everything_gives(written: list[Record], query: Query) -> None:
    asyncio.run(compare(written, query))


async def compare(written: list[Record], query: Query) -> None:
    journal = MemoryJournal()
    for record in written:
        topic = TOKEN_TOPIC if isinstance(record, TokenRevoked) else RATE_LIMIT_TOPIC
        await journal.append(topic, encode_record(record))
    with tempfile.TemporaryDirectory() as folder:
        index = LogIndex(Path(folder) / "log.db")
        index.apply(await journal.read())
        log = SystemLog(journal, index, LogConfig())
        assert await follow(log, query) == await everything(journal, query)
        await log.close()
        index.close()


async def follow(log: SystemLog, query: Query) -> list[str]:
    """The uuids on all pages, each of which keeps to the limit, and but for the last is full."""
    found: list[str] = []
    while True:
        page = await log.page(query, now_ms=NOW_MS)
        found += [json.loads(event)["uuid"] for event in page.events]
        assert len(page.events) <= query.limit
        polling = query.order is Order.PERSISTED
        assert page.following is not None or not polling
        if page.following is None or (polling and len(page.events) < query.limit):
            return found
        assert len(page.events) == query.limit
        after = Cursor.read(Cursor(query.order, page.following).text(), query.order)
        query = msgspec.structs.replace(query, after=after.position)


async def everything(journal: MemoryJournal, query: Query) -> list[str]:
    """The uuids by the rules alone."""
    events: list[dict[str, Any]] = []
    for entry in await journal.read():
        record = record_of(entry)
        assert record is not None
        (draft,) = drafts(record, lambda _: None)
        events.append(json.loads(msgspec.json.encode(finish(draft, entry, 0))))
    published = [to_ms(parse_timestamp(event["published"])) for event in events]
    numbers = list(range(len(events)))
    if query.order is Order.PERSISTED:
        since = max(query.since_ms, OLDEST_MS)
        first = next((number for number in numbers if published[number] >= since), len(numbers))
        numbers = numbers[first:]
    else:
        numbers = [number for number in numbers if query.since_ms <= published[number] < query.until_ms]
        numbers.sort(key=lambda number: (published[number], number), reverse=query.order is Order.DESCENDING)
    return [
        events[number]["uuid"]
        for number in numbers
        if published[number] >= OLDEST_MS and (query.node is None or matches(query.node, events[number]))
    ]
