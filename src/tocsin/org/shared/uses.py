"""When each API token of a fleet's org was last used, at whichever node, to the minute."""

import asyncio

import structlog

from tocsin.journal import JournalError, KeyValue
from tocsin.org.last_uses import OnceAMinute

_log = structlog.get_logger("tocsin.org")


class SharedUses:
    """See `Uses`. Written behind the request that is told of: nobody waits for it. Belongs to one event loop."""

    def __init__(self, table: KeyValue, org: str) -> None:
        """`table` keeps its entries for ever."""
        self._table, self._branch = table, f"{org}."
        self._once = OnceAMinute()
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, token_id: str, at_ms: int) -> None:
        """See `Uses.note`. Of several nodes that note a use in one minute the last to write is kept."""
        if self._once.is_due(token_id, at_ms):
            task = asyncio.get_running_loop().create_task(self._write(token_id, at_ms))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def all(self) -> dict[str, int]:
        """See `Uses.all`."""
        await asyncio.gather(*self._writing)
        kept = await self._table.all(self._branch)
        return {key.removeprefix(self._branch): int(one.value) for key, one in kept.items()}

    async def close(self) -> None:
        """Let go of what is being written: a use that is not noted is nobody's loss."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, token_id: str, at_ms: int) -> None:
        try:
            await self._table.put(self._branch + token_id, b"%d" % at_ms)
        except JournalError as error:
            _log.error("token.use_not_noted", token=token_id, error=str(error), remedy=error.hint)
