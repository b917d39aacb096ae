"""A collection of a TAXII 2.1 server, read on from when its newest object was added.

Source: OASIS TAXII 2.1, 3.4 (filtering, `added_after`, `next`) and 5.4 (objects).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.formats import format_named
from tocsin.sources.inputs.download import Download, downloaded
from tocsin.sources.inputs.secrets import authorization
from tocsin.sources.inputs.settings import reading_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.source import Clock

EVERY_S = 300.0
_MEDIA_TYPE = "application/taxii+json;version=2.1"
_ADDED_LAST = "x-taxii-date-added-last"
_MOST_PAGES = 10_000  # of one reading: a server that never ends is left, and asked again


class Page(Struct):
    """What of an answer says whether there is more."""

    more: bool = False
    next: str | None = None


class TaxiiSource:
    """Polls one collection. The position is the time at which the last object read was added."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._form = format_named("stix")
        reading_of(name, config, now=clock())

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            added_after, following, more = position.decode(errors="replace"), None, True
            for _ in range(_MOST_PAGES):
                async with self._page(added_after, following) as document:
                    page = await asyncio.to_thread(_page_of, document, self.name)
                    added_last = document.answer.headers.get(_ADDED_LAST, "")
                    more = page.more and bool(page.next or added_last not in ("", added_after))
                    # Not before the last page: objects of one moment may stand on two.
                    after = position if more else (added_last or added_after).encode()
                    reading = reading_of(self.name, self._config, now=self._clock())
                    async for batch in whole(document.path, self._form, reading, before=position, after=after):
                        yield batch
                if not more:
                    position = after
                    break
                following = page.next
                added_after = added_after if following else added_last
            await asyncio.sleep(self._config.every_s or EVERY_S)

    def _page(self, added_after: str, following: str | None) -> AbstractAsyncContextManager[Download]:
        url = url_of(str(self._config.taxii), added_after, following)
        secrets = authorization(self._config)
        return downloaded(url, self._config, headers={"accept": _MEDIA_TYPE}, secrets=secrets)


def url_of(collection: str, added_after: str, following: str | None) -> str:
    """Where the next page is: of indicators added after a time, or the one that `following` names."""
    query = {"match[type]": "indicator"}
    if added_after:
        query["added_after"] = added_after
    if following:
        query["next"] = following
    base = collection.rstrip("/").removesuffix("/objects")
    return f"{base}/objects/?{urlencode(query)}"


def _page_of(document: Download, name: str) -> Page:
    try:
        with open(document.path, "rb") as file:  # noqa: PTH123 - a text, not a Path
            return msgspec.json.decode(file.read() or b"{}", type=Page)
    except (msgspec.MsgspecError, RecursionError) as error:
        text = f"{name} did not answer with a TAXII envelope: {error}"
        raise SourceError(text, hint="give the URL of a collection of a TAXII 2.1 server") from None
