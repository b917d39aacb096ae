"""Small things that change often, that several nodes must agree on, and of which only the latest counts.

What must never be lost belongs into the journal. This is for what is over in minutes, or easily said again: how much
of a window is used, which proof was used, who holds what. Every change may name the revision that it knew.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import NamedTuple, Protocol

from tocsin.journal.following import Bell
from tocsin.journal.protocol import JournalConflict, JournalError

MAX_VALUE_BYTES = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*")
_QUOTED_CHARS = 60


class Kept(NamedTuple):
    """What stands under a key."""

    value: bytes
    revision: int
    """At least 1; each change of any key gives a higher one."""
    written_ms: int
    """When it was written, by the clock of whoever keeps it."""


class KeyValue(Protocol):
    """
    One table, which several processes may share. Whoever reads sees every change that was acknowledged before.

    An entry is gone when its life, which is that of the table, is over. Every implementation passes the one suite in
    `tests/contract/test_key_value.py`. All methods raise JournalError; ValueError for a bad key, or a value too long.
    """

    async def get(self, key: str) -> Kept | None:
        """What stands under `key`, or None."""
        ...

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """
        Write `value` under `key`; it is kept when this returns.

        Args:
            key: words of `A-Z a-z 0-9 - _ =`, joined by dots.
            value: at most `MAX_VALUE_BYTES`.
            revision: the one that stands there, 0 for none; None to not check.
        Returns: the new revision.
        Raises: JournalConflict, if it is another one. Nothing was written.
        """
        ...

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        """Remove `key`, if it is there. Raises JournalConflict, as `put` does."""
        ...

    async def all(self, branch: str = "") -> dict[str, Kept]:
        """All entries, or those whose key begins with the words `branch` and a dot, by key (`orgs.` for `orgs.a`)."""
        ...

    def watch(self) -> AsyncIterator[dict[str, Kept | None]]:
        """
        First all entries, then what has changed, by key, waiting for more; ends when closed.

        None stands for what was deleted. Of several changes of one key only the last may be told, and what is gone
        because its life is over is not told.
        """
        ...

    async def close(self) -> None:
        """Let go of all resources. Closing twice is harmless."""
        ...


def check_key(key: str) -> None:
    """Raises ValueError for what is no key."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key[:_QUOTED_CHARS]!r} is not a key: words of a-z, 0-9, '-', '_' and '=', joined by dots")


def check_put(key: str, value: bytes) -> None:
    """Raises ValueError, whose text says what is wrong."""
    check_key(key)
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"{key}: a value of {len(value)} bytes is too long, at most {MAX_VALUE_BYTES} are allowed")


class MemoryKeyValue:
    """The in-memory twin, for fast tests. To play several processes, share one between them."""

    def __init__(self, *, clock: Callable[[], float], life_s: float | None = None) -> None:
        """
        Args:
            clock: epoch seconds.
            life_s: how long an entry stands; None for ever.
        """
        self._clock, self._life_ms = clock, None if life_s is None else int(life_s * 1000)
        self._revision = 0
        self._kept: dict[str, Kept] = {}
        self._deleted: dict[str, int] = {}
        self._bell = Bell()

    async def get(self, key: str) -> Kept | None:
        """See `KeyValue.get`."""
        check_key(key)
        await self._turn()
        return self._standing(key)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """See `KeyValue.put`."""
        check_put(key, value)
        await self._turn()
        self._expect(key, revision)
        self._revision += 1
        self._kept[key] = Kept(value, self._revision, int(self._clock() * 1000))
        self._deleted.pop(key, None)
        self._bell.ring()
        return self._revision

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        """See `KeyValue.delete`."""
        check_key(key)
        await self._turn()
        self._expect(key, revision)
        if self._kept.pop(key, None) is not None:
            self._revision += 1
            self._deleted[key] = self._revision
            self._bell.ring()

    async def all(self, branch: str = "") -> dict[str, Kept]:
        """See `KeyValue.all`."""
        await self._turn()
        return {key: kept for key in list(self._kept) if key.startswith(branch) and (kept := self._standing(key))}

    async def watch(self) -> AsyncGenerator[dict[str, Kept | None], None]:
        """See `KeyValue.watch`."""
        known = self._revision
        yield dict(await self.all())
        while not self._bell.closed:
            news = self._bell.next
            changed: dict[str, Kept | None] = {key: kept for key, kept in self._kept.items() if kept.revision > known}
            changed |= dict.fromkeys(key for key, revision in self._deleted.items() if revision > known)
            if changed:
                known = self._revision
                yield changed
            else:
                await news.wait()

    async def close(self) -> None:
        """See `KeyValue.close`."""
        self._bell.close()

    async def _turn(self) -> None:
        """Let others run, as a network does: who relies on being alone shall fail here too."""
        if self._bell.closed:
            raise JournalError("the table is closed")
        await asyncio.sleep(0)

    def _expect(self, key: str, revision: int | None) -> None:
        standing = self._standing(key)
        last = 0 if standing is None else standing.revision
        if revision is not None and revision != last:
            raise JournalConflict(key, expected=revision, last=last)

    def _standing(self, key: str) -> Kept | None:
        kept = self._kept.get(key)
        if kept is None or self._life_ms is None or self._clock() * 1000 - kept.written_ms < self._life_ms:
            return kept
        del self._kept[key]
        return None
