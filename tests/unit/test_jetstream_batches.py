"""What is made of an answer of many messages, when some of it is lost on the way."""

import asyncio
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tocsin.journal.jetstream.batches import Batches
from tocsin.journal.jetstream.denials import Denials
from tocsin.journal.jetstream.link import Link


def answer(*seqs: int) -> list[dict[str, str]]:
    """The headers of a whole one, as a server sends them."""
    messages = [
        {
            "Nats-Sequence": str(seq),
            "Nats-Last-Sequence": str(before),
            "Nats-Subject": "a",
            "Nats-Time-Stamp": "2026-01-01T00:00:00Z",
        }
        for before, seq in zip((0, *seqs), seqs, strict=False)
    ]
    return [*messages, {"Status": "204", "Nats-Last-Sequence": str(seqs[-1] if seqs else 0)}]


class FakeLink:
    """Answers each question with `headers`."""

    def __init__(self, headers: Sequence[dict[str, str]]) -> None:
        self._headers = headers
        self.denials = Denials("nowhere", "_INBOX")
        self._hear: Callable[[Any], None] = print

    def new_inbox(self) -> str:
        return "_INBOX.1"

    async def listen(self, _subject: str, heard: Callable[[Any], None]) -> None:
        self._hear = heard

    async def publish(self, _subject: str, _payload: bytes, reply: str, _headers: dict[str, str] | None = None) -> None:
        for headers in self._headers:
            self._hear(SimpleNamespace(subject=reply, headers=headers, data=b""))


async def seqs_of(headers: Sequence[dict[str, str]]) -> list[int]:
    batches = Batches(cast("Link", FakeLink(headers)))
    async with asyncio.timeout(5):
        return [one.seq for one in await batches.next("TOCSIN", ">", 1, most=100)]


@pytest.mark.parametrize(("lost", "believed"), [(None, [3, 7, 8, 12]), (0, []), (1, [3]), (3, [3, 7, 8])])
async def test_nothing_beyond_a_lost_message_is_believed(lost: int | None, believed: list[int]) -> None:
    headers = answer(3, 7, 8, 12)
    if lost is not None:
        del headers[lost]
    assert await seqs_of(headers) == believed


async def test_there_may_be_nothing() -> None:
    assert await seqs_of(answer()) == []


MAX_PENDING_BYTES = 64 * 1024 * 1024  # nats-server's default: a client for which more waits is cut off


class SlowLink(FakeLink):
    """Notes how many bytes may be on their way at once."""

    def __init__(self) -> None:
        super().__init__(answer(3))
        self.under_way = self.most = 0

    async def publish(self, subject: str, payload: bytes, reply: str, headers: dict[str, str] | None = None) -> None:
        bytes_ = json.loads(payload)["max_bytes"]
        self.under_way += bytes_
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= bytes_
        await super().publish(subject, payload, reply, headers)


async def test_many_who_read_over_one_connection_are_not_sent_more_than_a_server_lets_wait() -> None:
    link = SlowLink()
    batches = Batches(cast("Link", link))
    read = await asyncio.gather(*(batches.next("TOCSIN", f"{n}.>", 1, most=100) for n in range(50)))
    assert [[one.seq for one in each] for each in read] == [[3]] * 50
    assert MAX_PENDING_BYTES / 4 < link.most <= MAX_PENDING_BYTES / 2
