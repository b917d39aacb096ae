"""Following: no entry goes unheard between a read that found none and the wait."""

import asyncio

from tocsin.journal import Entry
from tocsin.journal.following import Bell, follow


async def test_a_ring_during_a_read_that_finds_nothing_is_heard() -> None:
    bell, entries = Bell(), list[Entry]()

    async def read(after: int) -> list[Entry]:
        found = [entry for entry in entries if entry.seq > after]
        if not entries:
            entries.append(Entry(1, "a", b"appended while the read was on its way back"))
            bell.ring()
            await asyncio.sleep(0)
        return found

    async with asyncio.timeout(5):
        assert await anext(follow(read, bell, 0, look_again_s=None)) == entries


async def test_who_cannot_ring_is_noticed_at_the_next_look() -> None:
    entries: list[Entry] = []

    async def read(after: int) -> list[Entry]:
        return [entry for entry in entries if entry.seq > after]

    follower = follow(read, Bell(), 0, look_again_s=0.001)
    waiting = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0.005)
    entries.append(Entry(1, "a", b"by another process"))
    async with asyncio.timeout(5):
        assert await waiting == entries
