"""How far each bouncer of a fleet's org has come, whichever node it asked.

While the table cannot be reached a bouncer is told what has changed since this node told it last, or everything. That
is never too little; and what could not be noted is told once more, so that nothing which a node behind the others told
as new stays when it was deleted.
"""

import asyncio
from typing import NamedTuple

import msgspec
import structlog

from tocsin.journal import JournalError, KeyValue
from tocsin.org.crowdsec.feed import Pull
from tocsin.org.freshness import ANSWER_WITHIN_S

_log = structlog.get_logger("tocsin.org")


class _Told(NamedTuple):
    pull: Pull
    is_noted: bool


class SharedPulls:
    """See `Pulls`."""

    def __init__(self, table: KeyValue, org: str) -> None:
        """`table` keeps its entries for ever."""
        self._table, self._org = table, org
        self._told: dict[str, _Told] = {}
        """What this node told each bouncer last."""

    async def of(self, bouncer_id: str) -> Pull | None:
        """See `Pulls.of`."""
        told = self._told.get(bouncer_id)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                kept = await self._table.get(self._key(bouncer_id))
        except (JournalError, TimeoutError) as error:
            _log.warning("bouncer.position_not_read", bouncer=bouncer_id, error=str(error))
            return None if told is None else told.pull
        if kept is None:
            return None
        pull = msgspec.json.decode(kept.value, type=Pull)
        if told is None or told.is_noted:
            return pull
        return Pull(min(pull.seq, told.pull.seq), min(pull.at_ms, told.pull.at_ms))

    async def note(self, bouncer_id: str, pull: Pull) -> None:
        """See `Pulls.note`."""
        self._told[bouncer_id] = _Told(pull, is_noted=False)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._table.put(self._key(bouncer_id), msgspec.json.encode(pull))
        except (JournalError, TimeoutError) as error:
            _log.warning("bouncer.position_not_noted", bouncer=bouncer_id, error=str(error))
        else:
            self._told[bouncer_id] = _Told(pull, is_noted=True)

    def _key(self, bouncer_id: str) -> str:
        return f"{self._org}.{bouncer_id}"
