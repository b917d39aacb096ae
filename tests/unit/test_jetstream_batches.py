"""What is made of an answer of many messages, when some of it is lost on the way."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tocsin.journal.jetstream.batches import Batches
from tocsin.journal.jetstream.connection import JetStreamConnection


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


class FakeConnection:
    """Answers each question with `headers`."""

    def __init__(self, headers: Sequence[dict[str, str]]) -> None:
        self._headers = headers
        self._hear: Callable[[Any], None] = print

    def new_inbox(self) -> str:
        return "_INBOX.1"

    async def listen(self, _subject: str, heard: Callable[[Any], None]) -> None:
        self._hear = heard

    async def publish(self, _subject: str, _payload: bytes, reply: str) -> None:
        for headers in self._headers:
            self._hear(SimpleNamespace(subject=reply, headers=headers, data=b""))


async def seqs_of(headers: Sequence[dict[str, str]]) -> list[int]:
    batches = Batches(cast("JetStreamConnection", FakeConnection(headers)))
    async with asyncio.timeout(5):
        return [one.seq for one in await batches.next("TOCSIN", ">", 1, most=100, max_bytes=1000)]


@pytest.mark.parametrize(("lost", "believed"), [(None, [3, 7, 8, 12]), (0, []), (1, [3]), (3, [3, 7, 8])])
async def test_nothing_beyond_a_lost_message_is_believed(lost: int | None, believed: list[int]) -> None:
    headers = answer(3, 7, 8, 12)
    if lost is not None:
        del headers[lost]
    assert await seqs_of(headers) == believed


async def test_there_may_be_nothing() -> None:
    assert await seqs_of(answer()) == []
