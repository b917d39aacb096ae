"""What the followers of one journal in one process read. They go nearly in step, so one question serves them all.

A replica that has nothing more may be behind. Whether there really is nothing is asked of the leader when something
is known to have been appended, and otherwise every few seconds: news of an append can be lost on the way, and most
replicas are behind for an instant only.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tocsin.journal.jetstream.asking import Together
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.jetstream.stream import next_of
from tocsin.journal.protocol import READ_LIMIT

if TYPE_CHECKING:
    from tocsin.journal.jetstream.connection import JetStreamConnection

CONFIRM_EVERY_S = 5.0


class Followed:
    """Belongs to one event loop."""

    def __init__(
        self,
        connection: "JetStreamConnection",
        stream: str,
        subject: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._stream, self._subject, self._monotonic = connection, stream, subject, monotonic
        self._together = Together[list[Stored]]()
        self._read: tuple[int, list[Stored]] = (-1, [])
        self._news = self._settled = 0
        self._settled_s = float("-inf")
        self.heard = 0
        """The highest seq that is known to be in the journal."""

    def know(self, seq: int) -> None:
        """There is an entry of this seq."""
        self.heard = max(self.heard, seq)

    def doubt(self) -> None:
        """Somebody says that there is more."""
        self._news += 1

    def forget(self) -> None:
        """Some of what was read is no longer there."""
        self._read = (-1, [])

    async def beyond(self, after: int) -> list[Stored]:
        """Entries from the first beyond `after` on; none when there seem to be none. Raises: JournalError."""
        before, read = self._read
        return read if read and before == after else await self._together.ask(after, partial(self._ask, after))

    async def _ask(self, after: int) -> list[Stored]:
        found = await self._connection.batches.next(self._stream, self._subject, after + 1, most=READ_LIMIT)
        if not found and self._is_doubtful(after):
            news, asked_s = self._news, self._monotonic()
            one = await next_of(self._connection, self._stream, self._subject, after + 1)
            if one is None:
                self._settled, self._settled_s = news, asked_s
            else:
                found = [one]
        self._read = (after, found)
        if found:
            self.know(found[-1].seq)
        return found

    def _is_doubtful(self, after: int) -> bool:
        expected = self.heard > after or self._news != self._settled
        return expected or self._monotonic() >= self._settled_s + CONFIRM_EVERY_S
