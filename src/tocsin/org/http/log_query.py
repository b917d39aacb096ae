"""The parameters of GET /api/v1/logs. Pure. Source: spec 5.1, 5.2, 5.7."""

from collections.abc import Mapping
from datetime import UTC, datetime, time

from tocsin.org.http.log_errors import log_refusal, parameter_refused, since_too_old
from tocsin.org.log.filters.parser import BadFilter, parse_filter
from tocsin.org.log.keywords import BadKeywords, parse_keywords
from tocsin.org.log.query import MOST_PER_PAGE, PER_PAGE, BadCursor, Cursor, Order, Query
from tocsin.signals import from_ms, to_ms

_DAY_MS = 86_400_000
_DEFAULT_SPAN_MS = 7 * _DAY_MS
_OLDEST_MS = 180 * _DAY_MS
_BAD_DATE = (
    "The date format in your query is not recognized. Please enter dates using ISO8601 string format.",
    "must be a valid date-time or empty.",
)
_DIGITS = 4
_ORDERS = {"ASCENDING": Order.ASCENDING, "DESCENDING": Order.DESCENDING}


def read_query(parameters: Mapping[str, str], *, now_ms: int) -> Query:
    """What `parameters` ask for; empty ones count as absent. Raises LogRefusal (400)."""
    until_ms = _time(parameters, "until")
    since_ms = _time(parameters, "since")
    if since_ms is None:
        since_ms = max(0, (now_ms if until_ms is None else until_ms) - _DEFAULT_SPAN_MS)
    elif since_ms < _midnight_ms(now_ms) - _OLDEST_MS:
        raise since_too_old()
    order = _order(parameters, bounded=until_ms is not None)
    try:
        return Query(
            order=order,
            since_ms=since_ms,
            until_ms=now_ms if until_ms is None else until_ms,
            after=Cursor.read(text, order).position if (text := parameters.get("after")) else None,
            node=parse_filter(text) if (text := parameters.get("filter", "").strip()) else None,
            keywords=parse_keywords(parameters.get("q", "")),
            limit=_limit(parameters),
        )
    except (BadFilter, BadKeywords, BadCursor) as error:
        raise log_refusal(error) from error


def _order(parameters: Mapping[str, str], *, bounded: bool) -> Order:
    text = parameters.get("sortOrder") or "ASCENDING"
    order = _ORDERS.get(text.upper())
    if order is None:
        raise parameter_refused("sortOrder", ["must be ASCENDING or DESCENDING."])
    return Order.PERSISTED if order is Order.ASCENDING and not bounded else order


def _limit(parameters: Mapping[str, str]) -> int:
    text = parameters.get("limit") or str(PER_PAGE)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MOST_PER_PAGE):
        raise parameter_refused("limit", [f"must be a number from 0 to {MOST_PER_PAGE}."])
    return int(text)


def _time(parameters: Mapping[str, str], name: str) -> int | None:
    """Epoch milliseconds of an ISO 8601 time; one without an offset is UTC, one without a time midnight."""
    text = parameters.get(name)
    if not text:
        return None
    try:
        # A `+` that was not encoded is a blank by now.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise parameter_refused(name, _BAD_DATE) from None
    try:
        return to_ms(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except OverflowError:
        raise parameter_refused(name, _BAD_DATE) from None


def _midnight_ms(now_ms: int) -> int:
    return to_ms(datetime.combine(from_ms(now_ms).date(), time(), UTC))
