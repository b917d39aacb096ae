"""How many questions followers ask, and that they miss nothing by asking fewer."""

import asyncio
import base64
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tocsin.journal.jetstream import JetStreamJournal
from tocsin.journal.jetstream.asking import Refused
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.followed import CONFIRM_EVERY_S, Followed
from tocsin.journal.jetstream.leading import Leading
from tocsin.journal.jetstream.stream import NO_MESSAGE


class FakeServers:
    """A connection to a leader, and to a replica that has the first `copied` messages of it."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.copied = 0
        self.asked: list[str] = []
        self.batches = self
        self.say: Callable[[Any], None] = print

    async def next(self, _stream: str, subject: str, first: int, *, most: int) -> list[Stored]:
        self.asked.append("replica")
        await asyncio.sleep(0)
        return [Stored(seq, subject, b"", {}, "") for seq in self.seqs[: self.copied] if seq >= first][:most]

    def leading(self, stream: str) -> Leading:
        return Leading(cast("JetStreamConnection", self), stream)

    def patience(self) -> None:
        """Nothing is asked twice."""

    async def listen(self, _subject: str, heard: Callable[[Any], None]) -> None:
        self.say = heard

    async def api(self, operation: str, question: dict[str, Any] | None = None) -> Any:
        if question is None or "seq" not in question:
            if "INFO" in operation:
                return {}
            raise Refused({"err_code": NO_MESSAGE})
        self.asked.append("leader")
        await asyncio.sleep(0)
        for seq in self.seqs:
            if seq >= question["seq"]:
                body = base64.b64encode(b"").decode()
                return {"message": {"seq": seq, "subject": "a", "data": body, "time": ""}}
        raise Refused({"err_code": NO_MESSAGE})

    def questions(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


class Following:
    """Four of one journal."""

    def __init__(self) -> None:
        self.servers, self.now_s = FakeServers(), 0.0
        self.followed = Followed(cast("JetStreamConnection", self.servers), "TOCSIN", "a", lambda: self.now_s)

    async def look(self, after: int) -> list[int]:
        """What they find when they all look."""
        four = await asyncio.gather(*(self.followed.beyond(after) for _ in range(4)))
        assert all(one == four[0] for one in four)
        return [one.seq for one in four[0]]


async def test_while_nothing_is_heard_the_leader_is_asked_now_and_then() -> None:
    following = Following()
    for second in range(20):
        following.now_s = float(second)
        assert await following.look(0) == []
    asked = following.servers.questions()
    assert asked.count("replica") == 20
    assert asked.count("leader") == 20 / CONFIRM_EVERY_S


async def test_what_was_read_by_one_is_there_for_the_others() -> None:
    following = Following()
    following.servers.seqs, following.servers.copied = [3, 7], 2
    assert await following.look(0) == [3, 7]
    assert [one.seq for one in await following.followed.beyond(0)] == [3, 7]
    assert following.servers.questions() == ["replica"]
    following.followed.forget()
    await following.look(0)
    assert following.servers.questions() == ["replica"]


async def test_what_a_replica_has_not_yet_is_told_by_the_leader_once_there_is_a_reason_to_ask() -> None:
    following = Following()
    assert await following.look(0) == []
    following.servers.seqs = [3, 7, 9]
    assert await following.look(0) == [], "nobody said anything"
    following.followed.doubt()
    assert await following.look(0) == [3]
    assert await following.look(3) == [7], "there was one, so there may be more"
    assert await following.look(7) == [9]
    assert await following.look(9) == []
    following.servers.questions()
    assert await following.look(9) == []
    assert following.servers.questions() == ["replica"]
    following.servers.seqs += [11]
    following.followed.know(11)
    assert await following.look(9) == [11]
    following.servers.seqs += [12]
    following.now_s = CONFIRM_EVERY_S
    assert await following.look(11) == [12], "its news got lost"


async def test_who_stops_waiting_stops_nobody_else() -> None:
    following = Following()
    following.servers.seqs, following.servers.copied = [3], 1
    first, second = (asyncio.ensure_future(following.followed.beyond(0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert [one.seq for one in await second] == [3]


@pytest.mark.parametrize("said", [b"9" * 19, b"9" * 5000, b"-1", b"x", b""])
async def test_news_are_a_reason_to_look_and_nothing_more(said: bytes) -> None:
    servers = FakeServers()
    journal = await JetStreamJournal.open(cast("JetStreamConnection", servers), "acme", look_again_s=0.001)
    following = asyncio.ensure_future(anext(journal.follow()))
    servers.say(SimpleNamespace(data=said))
    async with asyncio.timeout(10):
        while servers.asked.count("replica") < 20:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert servers.questions().count("leader") <= 2
    servers.seqs, servers.copied = [3], 1
    assert [entry.seq for entry in await following] == [3]
    await journal.close()
