"""A journal and key-value tables that are far away: questions and answers take their time, and some get lost."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

from tocsin.journal import Entry, Journal, JournalUnreachable, Kept, KeyValue
from tocsin.journal.following import Bell, follow


class Way:
    """The way of one node to the rest: up to `most_s` each way; one of `loses_one_of` answers never comes."""

    def __init__(self, dice: Random, *, most_s: float = 0.02, loses_one_of: int = 0) -> None:
        self._dice, self._most_s, self.loses_one_of = dice, most_s, loses_one_of
        self.is_cut = False
        self.dice = dice

    async def there(self) -> None:
        """A question is on its way."""
        await asyncio.sleep(self._dice.random() * self._most_s)
        self._break()

    async def back(self) -> None:
        """So is an answer. Raises JournalUnreachable when it is lost: what was asked is done."""
        await asyncio.sleep(self._dice.random() * self._most_s)
        self._break()
        if self.loses_one_of and self._dice.randrange(self.loses_one_of) == 0:
            raise JournalUnreachable("it", seconds=1, why="the answer was lost")

    def _break(self) -> None:
        if self.is_cut:
            raise JournalUnreachable("it", seconds=1, why="the way is cut")


class FarKeyValue:
    """A table as one node sees it."""

    def __init__(self, table: KeyValue, way: Way) -> None:
        self._table, self._way = table, way

    async def get(self, key: str) -> Kept | None:
        await self._way.there()
        kept = await self._table.get(key)
        await self._way.back()
        return kept

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        await self._way.there()
        new = await self._table.put(key, value, revision=revision)
        await self._way.back()
        return new

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        await self._way.there()
        await self._table.delete(key, revision=revision)
        await self._way.back()

    async def all(self, branch: str = "") -> dict[str, Kept]:
        await self._way.there()
        kept = await self._table.all(branch)
        await self._way.back()
        return kept

    def watch(self) -> AsyncIterator[dict[str, Kept | None]]:
        return self._table.watch()

    async def close(self) -> None:
        """It is of others too."""


class FarJournal:
    """A journal as one node sees it; its reads come from a replica that may be behind, and never says nothing."""

    def __init__(self, journal: Journal, way: Way) -> None:
        self._journal, self._way, self._bell = journal, way, Bell()

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        await self._way.there()
        seq = await self._journal.append(topic, body, expect_last=expect_last)
        await self._way.back()
        self._bell.ring()
        return seq

    async def last(self, topic: str | None = None) -> int:
        await self._way.there()
        seq = await self._journal.last(topic)
        await self._way.back()
        return seq

    async def get(self, seq: int) -> Entry | None:
        await self._way.there()
        return await self._journal.get(seq)

    async def read(self, after: int = 0, *, limit: int = 256) -> list[Entry]:
        await self._way.there()
        batch = await self._journal.read(after, limit=limit)
        return batch[: self._way.dice.randint(1, len(batch))] if batch else batch

    async def forget(self, topic: str, before: int) -> int:
        await self._way.there()
        return await self._journal.forget(topic, before)

    def follow(self, after: int = 0) -> AsyncIterator[list[Entry]]:
        return follow(self.read, self._bell, after, look_again_s=1.0)

    def look(self) -> None:
        self._bell.ring()

    async def close(self) -> None:
        self._bell.close()
