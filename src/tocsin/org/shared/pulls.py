"""How far each bouncer of a fleet's org has come, whichever node it asked."""

from typing import NamedTuple

import msgspec

from tocsin.journal import KeyValue
from tocsin.org.crowdsec.feed import Pull


class _Told(NamedTuple):
    pull: Pull
    is_noted: bool


class SharedPulls:
    """
    See `Pulls`.

    What a node told and could not note it tells once more: it may have been behind the others, and told as new what was
    deleted before the position that stands noted.
    """

    def __init__(self, table: KeyValue, org: str) -> None:
        """`table` keeps its entries for ever."""
        self._table, self._org = table, org
        self._told: dict[str, _Told] = {}
        """What this node told each bouncer last."""

    async def of(self, bouncer_id: str) -> Pull | None:
        """See `Pulls.of`."""
        kept = await self._table.get(self._key(bouncer_id))
        if kept is None:
            return None
        pull, told = msgspec.json.decode(kept.value, type=Pull), self._told.get(bouncer_id)
        if told is None or told.is_noted:
            return pull
        return Pull(min(pull.seq, told.pull.seq), min(pull.at_ms, told.pull.at_ms))

    async def note(self, bouncer_id: str, pull: Pull) -> None:
        """See `Pulls.note`."""
        self._told[bouncer_id] = _Told(pull, is_noted=False)
        await self._table.put(self._key(bouncer_id), msgspec.json.encode(pull))
        self._told[bouncer_id] = _Told(pull, is_noted=True)

    def _key(self, bouncer_id: str) -> str:
        return f"{self._org}.{bouncer_id}"
