"""Reading many messages of a stream with one question (NATS ADR-31, "direct get"): any replica answers.

Such an answer is many messages, sent without a guarantee. Each names the one before it, so what arrives is known to be
without a gap; what does not arrive is asked for again. That a replica has nothing more proves nothing: it may be
behind. Only the leader is believed in that.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tocsin.journal.jetstream.connection import JetStreamConnection

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_SILENCE_S = 2.0
_AT_ONCE = 2  # each may be 17 MiB on its way


class Stored(NamedTuple):
    """A message of a stream."""

    seq: int
    subject: str
    body: bytes
    headers: dict[str, str]
    written: str
    """When, by the clock of whoever led the stream then: RFC 3339."""


class Batches:
    """Asks for batches over one connection; all answers come in over one subscription."""

    def __init__(self, connection: JetStreamConnection) -> None:
        self._connection = connection
        self._inbox = connection.new_inbox()
        self._number = 0
        self._waiting: dict[str, _Batch] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._listens = False

    async def next(self, stream: str, subject: str, first: int, *, most: int, max_bytes: int) -> list[Stored]:
        """
        Messages of `subject` (wildcards allowed) from seq `first` on, without a gap: at most `most`, and as many as
        the server fits into `max_bytes`. Empty when a replica knows of none, or none answers.
        """
        from nats.errors import Error

        question = {"seq": first, "next_by_subj": subject, "batch": most, "max_bytes": max_bytes}
        async with self._room:
            if not self._listens:
                await self._connection.listen(f"{self._inbox}.*", self._hear)
                self._listens = True
            self._number += 1
            reply = f"{self._inbox}.{self._number}"
            batch = self._waiting[reply] = _Batch()
            try:
                with suppress(OSError, Error):
                    await self._connection.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(question), reply)
                    await batch.wait()
            finally:
                del self._waiting[reply]
            return batch.stored

    async def close(self) -> None:
        """Listen no longer."""
        if self._listens:
            await self._connection.unlisten(f"{self._inbox}.*")

    def _hear(self, message: "Msg") -> None:
        batch = self._waiting.get(message.subject)
        if batch is not None:  # else: it came too late
            batch.add(message)


class _Batch:
    """What has come of one answer."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self._whole = True
        self._ended = asyncio.Event()

    def add(self, message: "Msg") -> None:
        headers = message.headers or {}
        if "Status" in headers:  # 204: the end; 404: there are none; 503: nobody is there to answer
            self._ended.set()
        elif self._whole:
            before = self.stored[-1].seq if self.stored else 0  # of the first it is said that 0 stands before it
            self._whole = before == int(headers.get("Nats-Last-Sequence", -1))
            if self._whole:
                seq = int(headers["Nats-Sequence"])
                self.stored.append(
                    Stored(seq, headers["Nats-Subject"], message.data, headers, headers["Nats-Time-Stamp"])
                )

    async def wait(self) -> None:
        """Until it is at its end, or nothing more comes for a while."""
        there = -1
        while len(self.stored) > there:
            there = len(self.stored)
            try:
                async with asyncio.timeout(_SILENCE_S):
                    await self._ended.wait()
            except TimeoutError:
                continue
            return

