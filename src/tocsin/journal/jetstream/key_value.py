"""A key-value table on a NATS bucket, read from its leader alone (NATS lets any replica answer, which may be behind).

A bucket is a stream that keeps one message of each key (NATS ADR-8). A revision is the seq of that message. What was
deleted leaves a message that says so, until a value takes its place or the life of the bucket ends it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Self

from tocsin.journal.following import Bell
from tocsin.journal.jetstream.appending import append
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.declared import stream_of
from tocsin.journal.jetstream.stream import last_of, read_on
from tocsin.journal.key_value import Kept, check_key, check_put
from tocsin.journal.protocol import JournalConflict, JournalError, JournalUnreachable

LOOK_AGAIN_S = 1.0
_OPERATION = "KV-Operation"
_AT_ONCE = 1000
_REPLICA_PAUSE_S = 0.02
"""Read one by one as they are written, so many entries as move in a fleet at once would take a minute."""


class JetStreamKeyValue:
    """A `KeyValue` that several machines share. Belongs to the event loop of its connection, and leaves that open."""

    def __init__(self, connection: JetStreamConnection, bucket: str, look_again_s: float) -> None:
        """For `open`."""
        self.bucket = bucket
        self._connection = connection
        self._stream, self._branch = stream_of(bucket), f"$KV.{bucket}."
        self._leading = connection.leading(self._stream)
        self._look_again_s = look_again_s
        self._bell = Bell()

    @classmethod
    async def open(cls, connection: JetStreamConnection, bucket: str, *, look_again_s: float = LOOK_AGAIN_S) -> Self:
        """
        The table in `bucket`.

        Args:
            look_again_s: how late who watches may notice a change.
        Raises: JournalError, when there is no such bucket, or no quorum.
        """
        table = cls(connection, bucket, look_again_s)
        await last_of(connection, table._stream, f"{table._branch}>")
        return table

    async def get(self, key: str) -> Kept | None:
        """See `KeyValue.get`."""
        check_key(key)
        self._refuse_when_closed()
        last = await self._last(key)
        return None if last is None else kept_of(last)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """See `KeyValue.put`."""
        check_put(key, value)
        self._refuse_when_closed()
        return await self._write(key, value, revision, {})

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        """See `KeyValue.delete`."""
        check_key(key)
        self._refuse_when_closed()
        if revision or await self.get(key) is not None:
            await self._write(key, b"", revision, {_OPERATION: "DEL"})

    async def all(self, branch: str = "") -> dict[str, Kept]:
        """See `KeyValue.all`."""
        self._refuse_when_closed()
        changed, _ = await self._standing(branch)
        return {key: kept for key, kept in changed.items() if kept is not None}

    async def watch(self) -> AsyncGenerator[dict[str, Kept | None], None]:
        """See `KeyValue.watch`; while no quorum answers it waits."""
        known: int | None = None
        while not self._bell.closed:
            closing = self._bell.next
            with suppress(JournalUnreachable):
                if known is None:
                    changed, known = await self._standing("")
                    yield {key: kept for key, kept in changed.items() if kept is not None}
                while some := await self._some_changed("", known):
                    changed, known = some
                    yield changed
            try:
                async with asyncio.timeout(self._look_again_s):
                    await closing.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """See `KeyValue.close`. The connection stays open."""
        self._bell.close()

    async def _write(self, key: str, value: bytes, revision: int | None, headers: dict[str, str]) -> int:
        """A message under `key`, where what stands there has this revision."""
        expected = revision
        while True:
            try:
                return await append(
                    self._connection,
                    self._stream,
                    self._branch + key,
                    value,
                    expect_last=expected,
                    headers=headers,
                    what=key,
                )
            except JournalConflict:
                last = await self._last(key)
                standing = None if last is None else kept_of(last)
                if standing is not None or revision != 0:
                    last_revision = 0 if standing is None else standing.revision
                    raise JournalConflict(key, expected=revision or 0, last=last_revision) from None
                expected = 0 if last is None else last.seq  # nothing stands there but the word that it was deleted

    async def _last(self, key: str) -> Stored | None:
        return await self._leading.told(lambda: last_of(self._connection, self._stream, self._branch + key))

    async def _standing(self, branch: str) -> tuple[dict[str, Kept | None], int]:
        """All there is, by key, and the last revision of it: a page at a time, for the leader is not sure for long."""
        changed: dict[str, Kept | None] = {}
        known = 0
        while some := await self._leading.told(partial(self._some_changed, branch, known)):
            changed |= some[0]
            known = some[1]
        return changed, known

    async def _some_changed(self, branch: str, known: int) -> tuple[dict[str, Kept | None], int] | None:
        """The first of what was written beyond the revision `known`, as `_standing`; None when nothing was."""
        stored = await read_on(self._connection, self._stream, f"{self._branch}{branch}>", known + 1, most=_AT_ONCE)
        if len(stored) == 1:  # from the leader, for the replica is behind: where others write, more is on its way
            await asyncio.sleep(_REPLICA_PAUSE_S)
        changed = {one.subject.removeprefix(self._branch): kept_of(one) for one in stored}
        return (changed, stored[-1].seq) if stored else None

    def _refuse_when_closed(self) -> None:
        if self._bell.closed:
            raise JournalError("the table is closed")


def kept_of(stored: Stored) -> Kept | None:
    """What a message of a bucket says; None, when it says that the key was deleted."""
    if _OPERATION in stored.headers:
        return None
    return Kept(stored.body, stored.seq, int(datetime.fromisoformat(stored.written).timestamp() * 1000))
