"""Group commit: one thread writes all that queued up while the last write was on its way to the disk.

The event loop hands over appends and is called back once per batch, so what it pays for an append does not grow with
the time a disk takes. The writing itself is a function given by the caller; this module knows no file and no SQL.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tocsin.journal.protocol import JournalError

BATCH_APPENDS = 256
BATCH_BYTES = 8 * 1024 * 1024


class Append(NamedTuple):
    """What is to be written."""

    topic: str
    body: bytes
    expect_last: int | None


class Written(NamedTuple):
    """It is durable."""

    seq: int


class Stale(NamedTuple):
    """`expect_last` is not the last of the topic, so this one append was left out."""

    last: int


class Failed(NamedTuple):
    """The whole batch came to nothing."""

    error: Exception


_Result = TypeVar("_Result")
Outcome = Written | Stale | Failed
Write = Callable[[Sequence[Append]], Sequence[Outcome]]
"""Writes a batch in one transaction and says for each append, in order, what became of it; raises if nothing did."""


class _Waiting(NamedTuple):
    append: Append
    outcome: asyncio.Future[Outcome]


class _Between(NamedTuple):
    work: Callable[[], Any]
    done: "asyncio.Future[Any]"


class GroupCommit:
    """A queue of appends and the thread that empties it. Belongs to the running event loop."""

    def __init__(self, write: Write, *, on_written: Callable[[], None]) -> None:
        """`on_written` is called in the event loop after a batch of which something was written."""
        self._write = write
        self._on_written = on_written
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting | _Between] = deque()
        self._changed = threading.Condition()
        self._closed = False
        # A daemon, so that a program that dies without closing the journal is not held up by a thread with no work.
        self._thread = threading.Thread(target=self._run, name="tocsin-journal", daemon=True)
        self._thread.start()

    def submit(self, append: Append) -> asyncio.Future[Outcome]:
        """Queue one append. Raises JournalError after `close`."""
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._add(_Waiting(append, outcome))
        return outcome

    def between(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Run blocking `work` in the thread that writes, between two batches. Raises JournalError after `close`."""
        done: asyncio.Future[_Result] = self._loop.create_future()
        self._add(_Between(work, done))
        return done

    def close(self) -> None:
        """Write what is queued, then end the thread. Blocks; must not be called in the event loop's thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _add(self, what: _Waiting | _Between) -> None:
        with self._changed:
            if self._closed:
                raise JournalError("the journal is closed; nothing was written")
            self._queue.append(what)
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._next_batch():
            if isinstance(batch, _Between):
                self._loop.call_soon_threadsafe(partial(_settle, batch.done, *_tried(batch.work)))
            else:
                outcomes = self._write_all([waiting.append for waiting in batch])
                self._loop.call_soon_threadsafe(self._settle, batch, outcomes)

    def _next_batch(self) -> list[_Waiting] | _Between:
        """Blocks until there is work; empty when closed and all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            batch: list[_Waiting] = []
            room = BATCH_BYTES
            while self._queue and len(batch) < BATCH_APPENDS and room > 0:
                head = self._queue[0]
                if isinstance(head, _Between):
                    if batch:
                        break
                    self._queue.popleft()
                    return head
                self._queue.popleft()
                batch.append(head)
                room -= len(head.append.body)
            return batch

    def _write_all(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        try:
            return self._write(appends)
        except Exception as error:
            # Whatever it is, those who wait must hear it; a dead thread would leave them waiting for ever.
            return [Failed(error)] * len(appends)

    def _settle(self, batch: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not waiting.outcome.done():  # else: whoever waited was cancelled
                waiting.outcome.set_result(outcome)
        if any(isinstance(outcome, Written) for outcome in outcomes):
            self._on_written()


def _tried(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _settle(done: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if done.done():  # whoever waited was cancelled
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
