"""A topic that one holder of a lease writes at a time. Whoever was quicker wins; who lost the lease writes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct, msgpack

from tocsin.journal import Entry, Journal, JournalConflict, JournalError, JournalUnreachable
from tocsin.relay.errors import LeaseLost
from tocsin.signals import to_ms

_T = TypeVar("_T")
UNREACHABLE_AGAIN_AFTER_S = 0.5
"""A cluster that cannot be reached is asked again after so long, for as long as the lease holds."""


class Envelope(Struct, frozen=True, array_like=True):
    """What every entry of a fleet's streams is in."""

    by: str
    """Who wrote it: unique for each time that something is held."""
    at_ms: int
    """When, by the clock of the fleet."""
    content: Raw
    """MessagePack."""


class Holding:
    """What a worker holds: one target or source, until it is asked to leave it, or loses the lease."""

    def __init__(self, item: str, *, by: str, holds: Callable[[], bool]) -> None:
        """
        Args:
            by: unique for each time that it is held.
            holds: whether the lease has not ended yet.
        """
        self.item, self.by, self.holds = item, by, holds
        self.leaving = asyncio.Event()
        """Set when another worker shall have it: end what is under way, begin nothing."""


class FencedTopic:
    """One topic, as its holder sees it."""

    def __init__(self, journal: Journal, topic: str, holding: Holding, *, clock: Callable[[], datetime]) -> None:
        self._journal, self._topic, self._holding, self._clock = journal, topic, holding, clock
        self._last, self._waits = 0, False

    async def take(
        self, known: int, mark: object, *, turn: Callable[[int], AbstractAsyncContextManager[None]], page: int
    ) -> AsyncIterator[list[Entry]]:
        """
        Make it ours, so that nobody who held it before can write to it any more.

        Args:
            known: seq of the last entry that needs not be read.
            mark: what to append once all is read.
            turn: taken for each page that is read, for as long as it is worked on (`Turns.turn`).
            page: at most so many entries at a time.
        Returns: the entries after `known`, and last of all, on its own, the mark.
        Raises: LeaseLost; JournalError, for what no waiting mends.
        """
        until = await self._patiently(lambda: self._journal.last(self._topic))
        after = known if known <= until else 0
        while True:
            while True:
                async with turn(max(0, until - after)):
                    entries = await self._patiently(partial(self._journal.read, after, limit=page))
                    if not entries:
                        break
                    after = entries[-1].seq
                    yield [entry for entry in entries if entry.topic == self._topic]
            self._last = await self._patiently(lambda: self._journal.last(self._topic))
            if self._last > after:
                continue
            if (entry := await self._marked(mark)) is not None:
                yield [entry]
                return

    async def take_after_last(self, mark: Callable[[Entry | None], object]) -> int:
        """
        The same for a topic of which the last entry says all.

        Args:
            mark: what to append, from the last entry there is.
        Returns: the seq of the mark.
        Raises: LeaseLost; JournalError, for what no waiting mends.
        """
        while True:
            self._last = await self._patiently(lambda: self._journal.last(self._topic))
            entry = await self._patiently(lambda: self._journal.get(self._last)) if self._last else None
            if await self._marked(mark(entry)) is not None:
                return self._last

    async def append(self, content: object, *, although_ended: bool = False) -> int:
        """
        Durable when it returns.

        Args:
            although_ended: True for what is worth writing after the lease has ended, too, if nobody else has written.
        Returns: its seq.
        Raises: LeaseLost, also when it was written but the lease has ended meanwhile.
        """
        body = self._sealed(content)
        if not although_ended:
            self._check()
        while True:
            try:
                self._last = await self._journal.append(self._topic, body, expect_last=self._last)
                break
            except JournalConflict:
                if await self._is_there(body):
                    break
            except JournalUnreachable as error:
                await self._wait(error)
        self._waits = False
        if not although_ended:
            self._check()
        return self._last

    async def forget_before(self, seq: int) -> None:
        """
        Let the topic begin with the entry `seq`: nobody needs what came before.

        What cannot be forgotten now is forgotten the next time.
        """
        import structlog

        try:
            await self._journal.forget(self._topic, seq)
        except JournalError as error:
            log = structlog.get_logger("tocsin.relay")
            log.warning("fleet.not_trimmed", item=self._holding.item, topic=self._topic, reason=error.summary)

    async def _marked(self, mark: object) -> Entry | None:
        """The entry of the mark; None when someone was quicker, or nobody knows: then there is more to read."""
        body = self._sealed(mark)
        self._check()
        try:
            self._last = await self._journal.append(self._topic, body, expect_last=self._last)
        except (JournalConflict, JournalUnreachable):
            await asyncio.sleep(UNREACHABLE_AGAIN_AFTER_S)
            return None
        return Entry(self._last, self._topic, body)

    async def _is_there(self, body: bytes) -> bool:
        """After a conflict: whether `body` was written, by us, and only its acknowledgement was lost."""
        after, ours = self._last, []
        while entries := await self._patiently(partial(self._journal.read, after)):
            ours += [entry for entry in entries if entry.topic == self._topic]
            after = entries[-1].seq
        if not ours or any(opened(entry).by != self._holding.by for entry in ours):
            raise LeaseLost(f"{self._holding.item} is another worker's now")
        self._last = ours[-1].seq
        return ours[-1].body == body

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        while True:
            try:
                found = await ask()
            except JournalUnreachable as error:
                await self._wait(error)
            else:
                self._waits = False
                return found

    async def _wait(self, error: JournalUnreachable) -> None:
        """For the cluster. Everything else that a journal may say is no matter of time, and ends the serving."""
        import structlog

        self._check()
        if not self._waits:
            structlog.get_logger("tocsin.relay").warning("fleet.waits", item=self._holding.item, reason=error.summary)
        self._waits = True
        await asyncio.sleep(UNREACHABLE_AGAIN_AFTER_S)

    def _check(self) -> None:
        if not self._holding.holds():
            raise LeaseLost(f"the lease on {self._holding.item} has ended: the cluster was out of reach for too long")

    def _sealed(self, content: object) -> bytes:
        return sealed(content, by=self._holding.by, at_ms=to_ms(self._clock()))


def sealed(content: object, *, by: str, at_ms: int) -> bytes:
    """The body of an entry."""
    return msgpack.encode(Envelope(by, at_ms, Raw(msgpack.encode(content))))


def opened(entry: Entry) -> Envelope:
    """The envelope of an entry. Raises: JournalError, for one that another version wrote."""
    try:
        return msgpack.decode(entry.body, type=Envelope)
    except msgspec.DecodeError:
        raise unreadable(entry) from None


def unreadable(entry: Entry) -> JournalError:
    """For an entry that another version wrote."""
    hint = "run the version that wrote it, or a newer one"
    return JournalError(f"entry {entry.seq} of {entry.topic} cannot be read: another version wrote it", hint=hint)
