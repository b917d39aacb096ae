"""A feed: a document at a URL that is fetched again and again, and read whole when it has changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from msgspec import Struct

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.inputs.again import fingerprint, is_due
from tocsin.sources.inputs.download import downloaded
from tocsin.sources.inputs.secrets import authorization
from tocsin.sources.inputs.settings import form_of, reading_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.source import Clock

EVERY_S = 3600.0


class State(Struct, frozen=True):
    """Which document was read to its end; the position, as JSON."""

    etag: str = ""
    last_modified: str = ""
    read_at: float = 0.0
    """Epoch seconds."""
    settings: str = ""
    """With which it was read (`fingerprint`)."""

    def conditions(self, now: datetime, settings: str) -> dict[str, str]:
        """Headers that ask for it only if it has changed (RFC 9110, 13.1)."""
        if settings != self.settings or is_due(self.read_at, now):
            return {}
        asked = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


class FeedSource:
    """Polls one URL."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock, self._url = config, clock, str(config.url)
        # What is wrong with the table is said before anything is fetched.
        form_of(config)
        reading_of(name, config, now=clock())

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            now = self._clock()
            settings = await asyncio.to_thread(fingerprint, self._config)
            form = await asyncio.to_thread(form_of, self._config)  # a mapping file may have changed
            reading = reading_of(self.name, self._config, now=now)
            asked = _state(position).conditions(now, settings)
            secrets = authorization(self._config)
            async with downloaded(self._url, self._config, headers=asked, secrets=secrets) as document:
                if document.answer.status == 200:
                    headers = document.answer.headers
                    state = State(headers.get("etag", ""), headers.get("last-modified", ""), now.timestamp(), settings)
                    after = msgspec.json.encode(state)
                    async for batch in whole(document.path, form, reading, before=position, after=after):
                        yield batch
                    position = after
            await asyncio.sleep(self._config.every_s or EVERY_S)


def _state(position: bytes) -> State:
    try:
        return msgspec.json.decode(position, type=State) if position else State()
    except msgspec.MsgspecError:
        return State()
