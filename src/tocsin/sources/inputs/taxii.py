"""A collection of a TAXII 2.1 server, read on from when its newest object was added.

A server tells that time in a header with its objects, or else in the manifest of the collection; of one that tells it
nowhere everything is read each time. Source: OASIS TAXII 2.1, 3.4 (filtering, `added_after`, `next`), 5.3 (manifest)
and 5.4 (objects).
"""

import asyncio
from collections.abc import AsyncIterator, Container
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tocsin.signals import Batch, Skipped, SkipReason, parse_timestamp
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
_OR_NO_MANIFEST = (200, 400, 401, 403, 404, 405, 406, 500, 501)  # a server may not have it, or not for us
_NEVER = datetime.min.replace(tzinfo=UTC)
_MOST_PAGES = 10_000  # of one reading: a server that never ends is left, and asked again


class Page(Struct):
    """What of an answer says whether there is more."""

    more: bool = False
    next: str | None = None
    objects: list[msgspec.Raw] = []


class TaxiiSource:
    """Polls one collection. The position is the time at which the last object read was added."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._form = format_named("stix")
        self._by_manifest = False
        """Whether the server does not say with its objects when they were added."""
        reading_of(name, config, now=clock())

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        while True:
            # Asked before the objects: what is added in between is read twice, and not passed over.
            newest = await self._newest_of_manifest(position.decode(errors="replace")) if self._by_manifest else ""
            async for batch in self._reading(position, newest):
                yield batch
                after = batch.position
            position = after
            await asyncio.sleep(self._config.every_s or EVERY_S)

    async def _reading(self, position: bytes, newest: str) -> AsyncIterator[Batch]:
        """All pages of what was added after `position`; `newest` is when the last was, where only that is known."""
        added_after, following, more = position.decode(errors="replace"), None, True
        for _ in range(_MOST_PAGES):
            async with self._asked(self._url("objects", added_after, following)) as document:
                page = await asyncio.to_thread(_page_of, document, self.name)
                added_last = document.answer.headers.get(_ADDED_LAST, "")
                self._by_manifest = not added_last if page.objects else self._by_manifest
                more = page.more and bool(page.next or added_last not in ("", added_after))
                # Not before the last page: objects of one moment may stand on two.
                after = position if more else (added_last or newest or added_after).encode()
                reading = reading_of(self.name, self._config, now=self._clock())
                async for batch in whole(document.path, self._form, reading, before=position, after=after):
                    yield batch
            if not more:
                break
            following = page.next
            added_after = added_after if following else added_last
        if page.more and not more:
            detail = "the server says that there is more, and neither `next` nor when it added what: that is not read"
            told = [Skipped(SkipReason.CUT_OFF, len(page.objects), detail, "")]
            yield Batch(source=self.name, claims=[], skipped=told, position=position)

    async def _newest_of_manifest(self, added_after: str) -> str:
        """When the newest object was added, by the manifest of the collection; empty where there is none."""
        newest, following = "", None
        for _ in range(_MOST_PAGES):
            url = self._url("manifest", added_after, following)
            async with self._asked(url, statuses=_OR_NO_MANIFEST) as document:
                if document.answer.status != 200:
                    return ""
                page = await asyncio.to_thread(_page_of, document, self.name)
            newest = max([newest, *_dates(page)], key=_moment)
            following = page.next
            if not page.more or not following:
                break
        return newest

    def _url(self, what: str, added_after: str, following: str | None) -> str:
        return url_of(str(self._config.taxii), what, added_after, following)

    def _asked(self, url: str, *, statuses: Container[int] = (200,)) -> AbstractAsyncContextManager[Download]:
        headers, secrets = {"accept": _MEDIA_TYPE}, authorization(self._config)
        return downloaded(url, self._config, headers=headers, secrets=secrets, statuses=statuses)


def url_of(collection: str, what: str, added_after: str, following: str | None) -> str:
    """Where the next page of `what` is: of indicators added after a time, or the one that `following` names."""
    query = {"match[type]": "indicator"}
    if added_after:
        query["added_after"] = added_after
    if following:
        query["next"] = following
    base = collection.rstrip("/").removesuffix("/objects")
    return f"{base}/{what}/?{urlencode(query)}"


class _Recorded(Struct):
    """One record of a manifest (TAXII 2.1, 5.3)."""

    date_added: str = ""


def _dates(page: Page) -> list[str]:
    try:
        return [msgspec.json.decode(one, type=_Recorded).date_added for one in page.objects]
    except msgspec.MsgspecError:
        return []  # it is no manifest, so nothing follows from it


def _moment(text: str) -> datetime:
    """Texts do not sort by time: one has a fraction, another has none."""
    try:
        return parse_timestamp(text)
    except ValueError:
        return _NEVER


def _page_of(document: Download, name: str) -> Page:
    try:
        with open(document.path, "rb") as file:  # noqa: PTH123 - a text, not a Path
            return msgspec.json.decode(file.read() or b"{}", type=Page)
    except (msgspec.MsgspecError, RecursionError) as error:
        text = f"{name} did not answer with a TAXII envelope: {error}"
        raise SourceError(text, hint="give the URL of a collection of a TAXII 2.1 server") from None
