"""The SQL that finds where a query's events may be, a few at a time, in the query's order. Pure."""

from collections.abc import Collection
from typing import NamedTuple

from tocsin.org.log.query import Order, Position, Query

FIRST_PLACE = "SELECT min(place) FROM events WHERE published_ms >= ?"
"""Where polling starts: from there on all comes, also what was published earlier and persisted later."""
_COLUMNS = "SELECT published_ms, place FROM events"


class Bounds(NamedTuple):
    """What holds for every step of one search."""

    horizon: int = 0
    """The last place that polling goes to: all up to it is there, and nothing will come between."""
    oldest_ms: int = 0
    """Of the retention."""
    types: Collection[int] | None = None
    """Numbers of the types that count; None for all."""
    actors: Collection[int] | None = None
    """Keys of the actors that count; None for all."""


def rows_after(query: Query, bounds: Bounds, position: Position, limit: int) -> tuple[str, tuple[object, ...]]:
    """A SELECT of the next rows, when published and at which place, and its values."""
    values: list[object]
    if query.order is Order.PERSISTED:
        where, order = ["place > ?", "place <= ?"], "place"
        values = [position.place, bounds.horizon]
    else:
        side, way = ("<", " DESC") if query.order is Order.DESCENDING else (">", "")
        where = [f"(published_ms, place) {side} (?, ?)", "published_ms >= ?", "published_ms < ?"]
        order = f"published_ms{way}, place{way}"
        values = [*position, query.since_ms, query.until_ms]
    where.append("published_ms >= ?")
    values.append(bounds.oldest_ms)
    for column, numbers in (("type", bounds.types), ("actor", bounds.actors)):
        if numbers is not None:
            where.append(f"{column} IN ({', '.join('?' * len(numbers))})")
            values.extend(numbers)
    return f"{_COLUMNS} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?", (*values, limit)
