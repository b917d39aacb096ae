"""What is asked of the System Log, and where a page of it ends. Pure. Source: spec 5.1, 5.2."""

import base64
import hashlib
import struct
from enum import IntEnum
from typing import NamedTuple, Self

from msgspec import Struct

from tocsin.errors import TocsinError
from tocsin.org.log.filters.syntax import Node

MOST_PER_PAGE = 1000
PER_PAGE = 100
_CURSOR = struct.Struct(">Bqq")
_CHECK_BYTES = 6


class Order(IntEnum):
    """In which order events come; the number stands in cursors."""

    PERSISTED = 1
    """Polling: as they were persisted, whatever their time; there is always a next page."""
    ASCENDING = 2
    """By when they were published, up to a bound."""
    DESCENDING = 3


class BadCursor(TocsinError):
    """An `after` that no link of the same query had."""

    def __init__(self) -> None:
        super().__init__("Invalid cursor.")


class LogTimeout(TocsinError):
    """A query took too long; the text is what the API answers."""

    def __init__(self) -> None:
        super().__init__(
            "Your last request took too long to complete. This is likely due to a load issue on our side. We've logged "
            "this and will work to address it. Please either simplify your query or wait a few minutes and try again."
        )


class Position(NamedTuple):
    """Of an event in an order."""

    published_ms: int
    """0 when polling: only the place counts then."""
    place: int


class Query(Struct, frozen=True, kw_only=True):
    """One page's worth of events."""

    order: Order
    since_ms: int
    """From when on; polling: events persisted no earlier than the first that was published then."""
    until_ms: int
    """Up to and without this; does not count when polling."""
    after: Position | None = None
    node: Node | None = None
    keywords: tuple[str, ...] = ()
    limit: int = PER_PAGE


class Page(Struct, frozen=True):
    """Events, each as JSON, and where to go on; None: this was all."""

    events: list[bytes]
    following: Position | None


class Cursor(NamedTuple):
    """An `after`: opaque for clients, and not to be made by them."""

    order: Order
    position: Position

    def text(self) -> str:
        """As it stands in a link."""
        packed = _CURSOR.pack(self.order, *self.position)
        return base64.urlsafe_b64encode(packed + _check(packed)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, order: Order) -> Self:
        """The cursor of a link of a query in this `order`. Raises BadCursor."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            number, *position = _CURSOR.unpack(packed[:-_CHECK_BYTES])
            cursor = cls(Order(number), Position(*position))
        except (ValueError, struct.error):
            raise BadCursor from None
        if cursor.text() != text or cursor.order is not order:
            raise BadCursor
        return cursor


def _check(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=_CHECK_BYTES, person=b"tocsin log").digest()
