"""The ledger of a target in a fleet: a topic of its own, which only who holds the target can write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import msgspec
from msgspec import Struct, msgpack
from msgspec.structs import replace

from tocsin.journal import Entry
from tocsin.relay.carrying import RECORDS_IN_A_PART
from tocsin.relay.fleet.fenced import FencedTopic, opened, unreadable
from tocsin.relay.fleet.turns import Turns
from tocsin.relay.ledger import Answered, Carried, Intent, Page, Written

PAGE_ENTRIES = 16
"""Each may tell of a thousand subjects, and all of a page are written down in one transaction."""
TOLD_PER_ENTRY = 50
"""An entry that tells of one subject is as much work as so many subjects more."""
TOPIC = "requests.log"
"""Of the journal that a target has for itself."""


class Taken(Struct, frozen=True, tag="taken"):
    """Another worker goes on from here."""


_Entry: TypeAlias = Written | Taken
_DECODER: msgpack.Decoder[_Entry] = msgpack.Decoder(_Entry)


class FleetLedger:
    """A `Ledger` (`relay/ledger.py`)."""

    def __init__(self, topic: FencedTopic, *, ready: Callable[[], Awaitable[object]], turns: Turns) -> None:
        """
        Args:
            ready: waits until the outbox knows all that was claimed. Before that, it would let go what others told.
            turns: those of everything that is as much work for the engines of this worker.
        """
        self._topic, self._ready, self._turns = topic, ready, turns
        self._told = 0

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

    def carries_after(self, subjects: int) -> bool:
        """
        See `Ledger.carries_after`. A record is looked through for each subject that is told.

        So the ledger of a target that holds `n` IPs stays below two rounds, in each of which it is told `n` times.
        """
        self._told += subjects + TOLD_PER_ENTRY
        if self._told < RECORDS_IN_A_PART:
            return False
        self._told = 0
        return True

    async def carries(self, part: Carried) -> int:
        """See `Ledger.carries`. Once all has been carried forward, the ledger begins there."""
        seq = await self._topic.append(part)
        if part.before is None:
            await self._topic.forget_before(part.round_from or seq)
        return seq


def _written(entry: Entry) -> _Entry:
    try:
        written: _Entry = _DECODER.decode(opened(entry).content)
    except msgspec.DecodeError:
        raise unreadable(entry) from None
    if isinstance(written, Carried) and not written.round_from:
        return replace(written, round_from=entry.seq)
    return written
