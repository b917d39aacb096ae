"""A journal on a NATS JetStream stream, which Raft replicates over the servers of a cluster.

A stream carries many journals: each is what lies under `tocsin.journal.NAME.`. A topic `a.b` is the subject
`tocsin.journal.NAME.a.b`, and `seq` is the sequence of the stream, so it skips what belongs to others. (NATS calls
"subject" what Tocsin calls "topic".) An entry is acknowledged when a quorum has it on its disks, provided that the
servers run with `sync_interval: always`.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from tocsin.journal.following import Bell, follow
from tocsin.journal.jetstream.appending import append
from tocsin.journal.jetstream.asking import Refused
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.followed import Followed
from tocsin.journal.jetstream.link import Listening
from tocsin.journal.jetstream.stream import last_of, message_at, read_on, refused_error
from tocsin.journal.protocol import READ_LIMIT, Entry, JournalError, JournalUnreachable
from tocsin.journal.rules import check_append, check_limit, check_name, check_topic_or_branch

if TYPE_CHECKING:
    from nats.aio.msg import Msg

JOURNALS, NEWS = "tocsin.journal", "tocsin.news"
LOOK_AGAIN_S = 1.0
_MOST_AT_ONCE = 1000
_SEQ_DIGITS = 20
_SUBJECTS_AT_ONCE = 100_000  # as many as a server tells in one answer


class JetStreamJournal:
    """A `Journal` that several machines share. Belongs to the event loop of its connection, and leaves that open."""

    def __init__(
        self, connection: JetStreamConnection, name: str, stream: str, look_again_s: float, root: str = JOURNALS
    ) -> None:
        """For `open`."""
        self.name, self.stream = name, stream
        self._connection = connection
        self._branch = f"{root}.{name}."
        self._news = news_of(root, name)
        self._look_again_s = look_again_s
        self._bell = Bell()
        self._followed = Followed(connection, stream, f"{self._branch}>")
        self._appended = 0
        self._telling: asyncio.Task[None] | None = None
        self._listening: Listening | None = None
        self._leading = connection.leading(stream)
        self._asked = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(
        cls,
        connection: JetStreamConnection,
        name: str,
        *,
        stream: str = "TOCSIN",
        root: str = JOURNALS,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> Self:
        """
        The journal `name` in `stream`; there is nothing to make for it.

        Args:
            name: letters, digits, `-` and `_`.
            root: what the subjects of all journals of `stream` begin with.
            look_again_s: how late a follower may notice an entry whose news got lost on the way.
        Raises: JournalError, when there is no such stream, or no quorum; ValueError for a bad name.
        """
        check_name(name)
        journal = cls(connection, name, stream, look_again_s, root)
        await journal.last()
        journal._listening = await connection.listen(journal._news, journal._hear)
        return journal

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        """
        See `Journal.append`.

        Raises: JournalUnreachable, when no quorum answers: the entry may be written or not. A caller that is
            cancelled while it waits does not know either.
        """
        check_append(topic, body)
        with self._asking():
            return await self._append(topic, body, expect_last)

    async def last(self, topic: str | None = None) -> int:
        """See `Journal.last`."""
        with self._asking():
            return await self._last(topic)

    async def get(self, seq: int) -> Entry | None:
        """See `Journal.get`."""
        with self._asking():
            return await self._get(seq)

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        """See `Journal.read`."""
        check_limit(limit)
        with self._asking():
            return await self._read(max(after, 0) + 1, limit)

    async def forget(self, topic: str, before: int) -> int:
        """See `Journal.forget`."""
        check_topic_or_branch(topic)
        with self._asking():
            return await self._forget(topic, before)

    def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        """
        See `Journal.follow`.

        News come from all who append; a lost one costs `look_again_s`, or five seconds where a replica is behind, too.
        """
        return follow(self._read_for_followers, self._bell, after, look_again_s=self._look_again_s)

    def look(self) -> None:
        """See `Journal.look`."""
        self._bell.ring()

    async def close(self) -> None:
        """See `Journal.close`. The connection stays open."""
        self._bell.close()
        await self._idle.wait()
        if self._telling is not None:
            await self._telling
        if self._listening is not None:
            await self._connection.unlisten(self._listening)

    async def _append(self, topic: str, body: bytes, expect_last: int | None) -> int:
        seq = await append(
            self._connection, self.stream, self._branch + topic, body, expect_last=expect_last, what=topic
        )
        self._tell(seq)
        return seq

    async def _last(self, topic: str | None) -> int:
        subjects = self._pattern(topic or "")
        last = await self._leading.told(lambda: last_of(self._connection, self.stream, subjects))
        seq = 0 if last is None else last.seq
        self._followed.know(seq)
        return seq

    async def _get(self, seq: int) -> Entry | None:
        stored = await message_at(self._connection, self.stream, seq)
        return self._entry(stored) if stored is not None and stored.subject.startswith(self._branch) else None

    async def _read(self, first: int, limit: int) -> list[Entry]:
        most = min(limit, _MOST_AT_ONCE)
        stored = await read_on(self._connection, self.stream, f"{self._branch}>", first, most=most)
        return [self._entry(one) for one in stored]

    async def _forget(self, topic: str, before: int) -> int:
        total = 0
        self._followed.forget()
        for subject in await self._subjects(self._pattern(topic)):
            last = await last_of(self._connection, self.stream, subject)
            end = min(before, last.seq if last is not None else 0)
            if end > 1:
                question = {"filter": subject, "seq": end}
                total += (await self._api(f"STREAM.PURGE.{self.stream}", question))["purged"]
        return total

    def _pattern(self, topic: str) -> str:
        """The subjects of a topic or a branch; of everything when it is empty."""
        return f"{self._branch}{topic}" if topic and not topic.endswith(".") else f"{self._branch}{topic}>"

    async def _subjects(self, pattern: str) -> list[str]:
        """Those with more than one entry: of the others nothing can be forgotten."""
        subjects: list[str] = []
        offset, total = 0, 1
        while offset < total:
            question = {"subjects_filter": pattern, "offset": offset}
            found = await self._api(f"STREAM.INFO.{self.stream}", question)
            counts = found["state"].get("subjects") or {}
            subjects += [subject for subject, count in counts.items() if count > 1]
            offset, total = offset + _SUBJECTS_AT_ONCE, found.get("total", 0)
        return subjects

    async def _api(self, operation: str, question: object) -> Any:
        try:
            return await self._connection.api(operation, question)
        except Refused as refused:
            raise refused_error(self.stream, refused) from None

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """So that `close` can wait for what was asked before it."""
        if self._bell.closed:
            raise JournalError("the journal is closed")
        self._asked += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._asked -= 1
            if not self._asked:
                self._idle.set()

    async def _read_for_followers(self, after: int) -> list[Entry]:
        """While no quorum answers there is nothing to read, and nothing to end for: what is missed comes later."""
        try:
            with self._asking():
                return [self._entry(one) for one in await self._followed.beyond(max(after, 0))]
        except JournalUnreachable:
            return []

    def _tell(self, seq: int) -> None:
        """Let all who follow know, also in other processes; appends that come together are told as one."""
        self._appended = max(self._appended, seq)
        self._followed.know(seq)
        self._bell.ring()
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._send_news())

    async def _send_news(self) -> None:
        told = 0
        while told < self._appended:
            told = self._appended
            await self._connection.tell(self._news, b"%d" % told)

    def _hear(self, message: "Msg") -> None:
        """Whoever holds the key of any node can say anything here, so it is no more than a reason to look."""
        said = message.data
        if said.isdigit() and len(said) <= _SEQ_DIGITS and int(said) > self._followed.heard:
            self._followed.doubt()
            self._bell.ring()

    def _entry(self, stored: Stored) -> Entry:
        return Entry(stored.seq, stored.subject.removeprefix(self._branch), stored.body)


def news_of(root: str, name: str) -> str:
    """Where it is told that the journal `name` under `root` has grown."""
    return f"{NEWS}.{name}" if root == JOURNALS else f"{NEWS}.{root.rpartition('.')[2]}.{name}"
