"""The ledger of a target in a fleet: a topic of its own, which only who holds the target can write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import msgspec
from msgspec import Struct, msgpack

from tocsin.journal import Entry
from tocsin.relay.fleet.fenced import FencedTopic, opened, unreadable
from tocsin.relay.fleet.turns import Turns
from tocsin.relay.ledger import Answered, Intent, Page

PAGE_ENTRIES = 16
"""Each may tell of a thousand subjects, and all of a page are written down in one transaction."""
BRANCH_OF_TOPIC = "requests."
TOPIC = f"{BRANCH_OF_TOPIC}log"
"""Of the journal that a target has for itself."""


class Taken(Struct, frozen=True, tag="taken"):
    """Another worker goes on from here."""


_Written: TypeAlias = Intent | Answered | Taken
_DECODER: msgpack.Decoder[_Written] = msgpack.Decoder(_Written)


class FleetLedger:
    """A `Ledger` (`relay/ledger.py`)."""

    def __init__(self, topic: FencedTopic, *, ready: Callable[[], Awaitable[object]], turns: Turns) -> None:
        """
        Args:
            ready: waits until the outbox knows all that was claimed. Before that, it would let go what others told.
            turns: those of everything that is as much work for the engines of this worker.
        """
        self._topic, self._ready, self._turns = topic, ready, turns

    async def begin(self, known: int) -> AsyncIterator[Page]:
        """See `Ledger.begin`."""
        await self._ready()
        async for entries in self._topic.take(known, Taken(), turn=self._turns.turn, page=PAGE_ENTRIES):
            if entries:
                written = [_written(entry) for entry in entries]
                yield Page(entries[-1].seq, [one for one in written if not isinstance(one, Taken)])

    async def intends(self, intent: Intent) -> int:
        """See `Ledger.intends`."""
        return await self._topic.append(intent)

    async def answered(self, answered: Answered) -> int:
        """See `Ledger.answered`. An answer is worth keeping after the lease has ended, too."""
        return await self._topic.append(answered, although_ended=True)


def _written(entry: Entry) -> _Written:
    try:
        written: _Written = _DECODER.decode(opened(entry).content)
    except msgspec.DecodeError:
        raise unreadable(entry) from None
    return written
