"""Reading many messages of a stream with one question (NATS ADR-31, "direct get"): any replica answers.

Such an answer is many messages, sent without a guarantee. Each names the one before it, so what arrives is known to be
without a gap; what does not arrive is asked for again. That a replica has nothing more proves nothing: it may be
behind. Only the leader is believed in that.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tocsin.journal.jetstream.link import Link

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_SILENCE_S = 2.0
# A server cuts off a client for which 64 MiB wait (its `max_pending`): not the half of that is on its way at a time.
_BATCH_BYTES, _AT_ONCE = 4 * 1024 * 1024, 7


class Stored(NamedTuple):
    """A message of a stream."""

    seq: int
    subject: str
    body: bytes
    headers: dict[str, str]
    written: str
    """When, by the clock of whoever led the stream then: RFC 3339."""


class Batches:
    """All that are asked for over one link; the answers come in over one subscription."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._inbox = ""
        self._number = 0
        self._waiting: dict[str, Batch] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def next(self, stream: str, subject: str, first: int, *, most: int) -> list[Stored]:
        """
        Messages of `subject` (wildcards allowed) from seq `first` on, without a gap: at most `most`, and no more than
        4 MiB. Empty when a replica knows of none, or none answers.

        Raises: JournalError, when this user may not ask for them.
        """
        return (await self.ask(stream, subject, first, most=most)).stored

    async def ask(
        self, stream: str, subject: str, first: int, *, most: int, headers: dict[str, str] | None = None
    ) -> "Batch":
        """The same, with what else is known of the answer; the question carries `headers`."""
        from nats.errors import Error

        question = {"seq": first, "next_by_subj": subject, "batch": most, "max_bytes": _BATCH_BYTES}
        place = f"$JS.API.DIRECT.GET.{stream}"
        async with self._room:
            if not self._inbox:
                self._inbox = self._link.new_inbox()
                await self._link.listen(f"{self._inbox}.*", self._hear)
            self._number += 1
            reply = f"{self._inbox}.{self._number}"
            batch = self._waiting[reply] = Batch()
            try:
                with suppress(OSError, Error):
                    async with self._link.denials.told(place):
                        await self._link.publish(place, msgspec.json.encode(question), reply, headers)
                        await batch.wait()
            finally:
                del self._waiting[reply]
            return batch

    def _hear(self, message: "Msg") -> None:
        batch = self._waiting.get(message.subject)
        if batch is not None:  # else: it came too late
            batch.add(message)


class Batch:
    """What has come of one answer."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.status = ""
        """What the server said at its end: 204; 404 when it has none; 503 when nobody is there. Empty so far."""
        self._whole = True
        self._ended = asyncio.Event()

    def add(self, message: "Msg") -> None:
        headers = message.headers or {}
        if "Status" in headers:
            self.status = headers["Status"]
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
