"""One query of the System Log at work: which places to look at, and which of the events there it asks for. Blocking."""

from collections.abc import Mapping, Sequence

import msgspec

from tocsin.journal import Entry
from tocsin.org.config import LogConfig
from tocsin.org.log.draft import MOST_EVENTS, Draft
from tocsin.org.log.event import LogEvent
from tocsin.org.log.filters.matching import matches
from tocsin.org.log.filters.narrowing import may_match, possible_types, wanted_actors
from tocsin.org.log.filters.syntax import Path
from tocsin.org.log.finish import finish
from tocsin.org.log.index import LogIndex, actor_key, place_of
from tocsin.org.log.keywords import holds
from tocsin.org.log.query import Order, Position, Query
from tocsin.org.log.render import drafts
from tocsin.org.log.rows import FIRST_PLACE, Bounds, rows_after
from tocsin.org.records import record_of

_MOST_ACTORS = 100
_ENCODER = msgspec.json.Encoder()


class Search:
    """A query over one index. `begin` first; all of it in the thread that asks the index."""

    def __init__(self, index: LogIndex, query: Query, config: LogConfig, *, oldest_ms: int, deadline: float) -> None:
        """
        Args:
            oldest_ms: what was published before is not shown.
            deadline: on the monotonic clock; what the index is asked beyond it raises OrgError.
        """
        self._index = index
        self._query = query
        self._show_messages = config.show_messages
        self._oldest_ms = oldest_ms
        self._deadline = deadline
        self._bounds = Bounds()
        self.end: Position | None = None
        """Where the next page goes on when this one came to the end; None: there is none."""

    def begin(self) -> Position:
        """Fix what the query sees, and where it starts: the position before its first event. Raises OrgError."""
        horizon = place_of(self._index.cursor() + 1, 0) - 1
        self._bounds = Bounds(horizon, self._oldest_ms, *self._narrowed())
        if self._query.order is Order.PERSISTED:
            self.end = Position(0, horizon)
        return self._query.after or self._start(horizon)

    def step(self, position: Position, limit: int) -> list[Position]:
        """The next positions, at most `limit`, where an event may be; empty at the end. Raises OrgError."""
        if [] in (self._bounds.types, self._bounds.actors):
            return []
        rows = self._index.select(*rows_after(self._query, self._bounds, position, limit), deadline=self._deadline)
        polling = self._query.order is Order.PERSISTED
        return [Position(0 if polling else published_ms, place) for published_ms, place in rows]

    def events(self, positions: Sequence[Position], entries: Mapping[int, Entry]) -> list[tuple[Position, bytes]]:
        """Those events at `positions` that the query asks for, as JSON. Raises OrgError."""
        found = []
        drawn: tuple[int, list[Draft]] = (0, [])
        for position in positions:
            seq, number = divmod(position.place, MOST_EVENTS)
            entry = entries.get(seq)
            if entry is None:
                continue  # the journal was trimmed
            if drawn[0] != seq:
                drawn = (seq, self._drafts(entry))
            event = self._event(drawn[1][number], entry, number)
            if event is not None:
                found.append((position, _ENCODER.encode(event)))
        return found

    def _drafts(self, entry: Entry) -> list[Draft]:
        record = record_of(entry)
        if record is None:
            return []
        return drafts(record, self._index.known(entry.seq), show_messages=self._show_messages)

    def _event(self, draft: Draft, entry: Entry, number: int) -> LogEvent | None:
        """The event of a draft, or None when it is not asked for."""
        node, keywords = self._query.node, self._query.keywords
        if node is not None:
            plain = msgspec.to_builtins(finish(draft, entry, number, explained=False))
            if may_match(node, plain, _is_cheap) is False:
                return None
        event = finish(draft, entry, number)
        if node is not None or keywords:
            plain = msgspec.to_builtins(event)
            if not (node is None or matches(node, plain)) or not holds(keywords, plain):
                return None
        return event

    def _narrowed(self) -> tuple[list[int] | None, list[int] | None]:
        """Numbers of the types and keys of the actors that the filter leaves; None for all."""
        node = self._query.node
        if node is None:
            return None, None
        types, actors = self._index.types(), wanted_actors(node)
        possible = possible_types(node, types)
        return (
            None if len(possible) == len(types) else [types[name] for name in possible],
            None if actors is None or len(actors) > _MOST_ACTORS else [actor_key(actor) for actor in actors],
        )

    def _start(self, horizon: int) -> Position:
        match self._query.order:
            case Order.PERSISTED:
                since = max(self._query.since_ms, self._oldest_ms)
                ((first,),) = self._index.select(FIRST_PLACE, (since,), deadline=self._deadline)
                return Position(0, horizon if first is None else min(first - 1, horizon))
            case Order.ASCENDING:
                return Position(self._query.since_ms, -1)
            case Order.DESCENDING:
                return Position(self._query.until_ms, -1)


def _is_cheap(path: Path) -> bool:
    return path[0] != "debugContext"
