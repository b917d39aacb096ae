"""Writes records that only the System Log shows, after the answer that they tell of, so that nobody waits for them."""

import asyncio

import structlog

from tocsin.errors import TocsinError
from tocsin.journal import Journal
from tocsin.org.records import LogRecord, encode_record

MOST_WAITING = 1000
_log = structlog.get_logger("tocsin.org")


class Notes:
    """What waits to be written to one journal. What cannot be is dropped, and the service log says so."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: asyncio.Queue[tuple[str, LogRecord]] = asyncio.Queue(MOST_WAITING)

    def soon(self, topic: str, record: LogRecord) -> None:
        """Append `record` soon; returns at once and raises nothing."""
        try:
            self._waiting.put_nowait((topic, record))
        except asyncio.QueueFull:
            _log.error("log.note_dropped", topic=topic, error=f"{MOST_WAITING} notes wait to be written")

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._write(*await self._waiting.get())

    async def drain(self) -> None:
        """Write what waits now."""
        while not self._waiting.empty():
            await self._write(*self._waiting.get_nowait())

    async def _write(self, topic: str, record: LogRecord) -> None:
        try:
            await self._journal.append(topic, encode_record(record))
        except TocsinError as error:
            _log.error("log.note_dropped", topic=topic, error=str(error), remedy=error.hint)
