"""The outbox from inside an event loop: one thread does all its work, and what comes in together shares a sync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from tocsin.relay.errors import RelayError
from tocsin.relay.intake import Prepared
from tocsin.relay.outbox import Outbox
from tocsin.relay.store import ROOM_BYTES
from tocsin.signals import to_ms

BATCH_CLAIMS = 16_384
"""In one transaction: what it changes is in memory until it is on disk, and something dangerous waits behind it."""
QUEUED_CLAIMS = 4 * BATCH_CLAIMS
"""Who hands over more while these are not on disk waits: back-pressure, not loss."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Waiting(NamedTuple):
    batches: Sequence[Prepared]
    claims: int
    durable: "asyncio.Future[None]"


class OutboxThread:
    """Belongs to the running event loop."""

    outbox: Outbox
    """Once it is open."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime], room_bytes: int = ROOM_BYTES) -> None:
        """For the outbox in the folder `path`; see `Store`."""
        self._path, self._clock, self._room_bytes = path, clock, room_bytes
        self._opened = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="tocsin-outbox")
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._room, self._work = asyncio.Condition(), asyncio.Event()
        self._closed = False

    async def open(self) -> None:
        """Open it, or make it. Raises: RelayError, when that cannot be."""
        await self.do(self._open)

    async def do(self, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run one function in the thread. Raises: RelayError, once it is closed."""
        if self._closed:
            raise RelayError("the relay was closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    async def put(self, batches: Sequence[Prepared]) -> None:
        """
        Keep `batches`, whole; durable when this returns.

        Raises: RelayError, when it could not be written; nothing of it is kept then. When the relay was closed
            meanwhile, it may have been.
        """
        claims = sum(len(batch.rows) for batch in batches)
        async with self._room:
            await self._room.wait_for(lambda: self._closed or self._queued < QUEUED_CLAIMS)
            if self._closed:
                raise RelayError("the relay was closed; this was not kept")
            self._queued += claims
        waiting = _Waiting(batches, claims, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._work.set()
        await asyncio.shield(waiting.durable)

    async def write_for_ever(self, *, on_written: Callable[[], None]) -> None:
        """Write what is put, until cancelled; `on_written` is called after each transaction."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                group = self._next_group()
                await self._write(group)
                on_written()

    async def close(self) -> None:
        """End the thread, once it has done what it is at. However often this is cancelled, it waits for that."""
        self._closed = True
        for waiting in self._queue:
            if not waiting.durable.done():
                waiting.durable.set_exception(RelayError("the relay was closed; this was not kept"))
        ended = asyncio.get_running_loop().run_in_executor(self._pool, self._close)
        self._pool.shutdown(wait=False)
        cancelled = False
        while not ended.done():
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError:
                cancelled = True
        async with self._room:
            self._room.notify_all()
        if cancelled:
            raise asyncio.CancelledError

    def _open(self) -> None:
        self.outbox = Outbox(self._path, room_bytes=self._room_bytes)
        self._opened = True

    def _close(self) -> None:
        if self._opened:
            self.outbox.close()

    def _next_group(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        claims = group[0].claims
        while self._queue and claims + self._queue[0].claims <= BATCH_CLAIMS:
            group.append(self._queue.popleft())
            claims += group[-1].claims
        return group

    async def _write(self, group: Sequence[_Waiting]) -> None:
        batches = [batch for waiting in group for batch in waiting.batches]
        error: Exception | None = RelayError("the relay was closed while this was written: it may have been kept")
        try:
            await self.do(self._take_in, batches)
            error = None
        except Exception as caught:  # whatever it is, those who wait must hear it
            error = caught
        finally:  # also when this is cancelled
            self._tell(group, error)
        async with self._room:
            self._queued -= sum(waiting.claims for waiting in group)
            self._room.notify_all()

    def _tell(self, group: Sequence[_Waiting], error: Exception | None) -> None:
        for waiting in group:
            if waiting.durable.done():  # whoever waited was cancelled
                continue
            if error is None:
                waiting.durable.set_result(None)
            else:
                waiting.durable.set_exception(error)

    def _take_in(self, batches: Sequence[Prepared]) -> None:
        self.outbox.take_in(batches, now_ms=to_ms(self._clock()))
        self.outbox.store.let_memory_go()
