"""How signals get into a fleet: published to its stream, durable before whoever has them hears so."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex

from msgspec.structs import replace

from tocsin.journal import Entry, Journal
from tocsin.relay.books import SourceBook
from tocsin.relay.fleet.fenced import FencedTopic, Holding, sealed
from tocsin.relay.fleet.stream import Published, cut, published, put_topic_of, topic_of
from tocsin.relay.intake import Prepared, prepare, prepared
from tocsin.signals import Batch, Retraction, Signal, to_ms


class Detector:
    """
    Hands signals over to a fleet, as a program that finds them does:

        await Detector(journal, clock=clock, life=timedelta(days=7)).put(signals)
    """

    def __init__(self, journal: Journal, *, clock: Callable[[], datetime], life: timedelta) -> None:
        """
        Args:
            journal: the stream of signals.
            life: how long the stream remembers; nothing is claimed for longer.
        """
        self._journal, self._clock, self._life = journal, clock, life
        self._by = f"put/{token_hex(8)}"

    async def put(self, *claims: Batch | Iterable[Signal | Retraction]) -> None:
        """
        Keep signals and retractions; durable when this returns.

        When it raises, some may have been kept: put all of them again, twice is once.

        Args:
            claims: any number of any sources, or one source's batches, whose positions are not kept.
        Raises: InvalidSignals, when one of them can never be told (then none is kept); JournalError.
        """
        ends_ms = to_ms(self._clock() + self._life)
        batches = await asyncio.to_thread(prepared, claims)
        for batch in batches:
            for part in cut(batch, ends_ms=ends_ms):
                # Dated when it is written: the stream is trimmed by these times, which must stand in its order.
                body = sealed(Published(part), by=self._by, at_ms=to_ms(self._clock()))
                await self._journal.append(put_topic_of(batch.source), body)


class SourceDoor:
    """Where the holder of one source hands over what it reads. The three methods that the feeding of a relay uses."""

    def __init__(
        self, journal: Journal, source: str, holding: Holding, *, clock: Callable[[], datetime], life: timedelta
    ) -> None:
        """See `Detector`."""
        self._clock, self._life = clock, life
        self._topic = FencedTopic(journal, topic_of(source), holding, clock=clock)
        self._position = b""
        self._reading_from = 0
        """The entry that this reading begins with; 0 when the next one does."""

    async def begin_reading(self, source: str) -> SourceBook:
        """The source starts, or starts again. Returns: with the position to go on from. Raises: LeaseLost."""
        self._reading_from = await self._topic.take_after_last(partial(self._begun, source))
        return SourceBook(number=0, position=self._position)

    async def put(self, batch: Batch) -> None:
        """
        Durable when this returns. Raises: InvalidSignals; LeaseLost, then from some part on nothing is kept.

        With the end of a list all that was read before this reading of it is let go, so the stream forgets it.
        """
        found = await asyncio.to_thread(prepare, batch)
        # Who has missed the end of the list before must not take this reading for a part of that.
        await self._publish(found if self._reading_from else replace(found, begins=True))
        if found.ends_list:
            await self._topic.forget_before(self._reading_from)
            self._reading_from = 0

    async def note_stopped(self, source: str, why: str) -> None:
        """Nothing comes from the source now. Raises: LeaseLost."""
        await self._publish(Prepared(source, [], stopped=why))

    def _begun(self, source: str, last: Entry | None) -> Published:
        self._position = b"" if last is None else published(last).position
        return Published(Prepared(source, [], begins=True), self._position)

    async def _publish(self, batch: Prepared) -> None:
        ends_ms = to_ms(self._clock() + self._life)
        for part in cut(batch, ends_ms=ends_ms):
            position = self._position if part.position is None else part.position
            seq = await self._topic.append(Published(part, position))
            self._position, self._reading_from = position, self._reading_from or seq
