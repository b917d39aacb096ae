"""What the rate headers of an answer say, and how long they ask to wait. Source: Okta's rate limit pages."""

from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.okta.headers import Headers

_MARGIN_S = 1  # Reset is cut to whole seconds; every official client waits one second longer


class RateLimit(NamedTuple):
    """The rate headers of one answer, each None when the org did not send it: nothing is guessed."""

    limit: int | None
    """Requests in a window that this caller may make."""
    remaining: int | None
    """Requests left in the window after this one."""
    reset: int | None
    """End of the window on the org's clock, in seconds since 1970-01-01T00:00:00Z."""


def rate_limit(headers: Headers) -> RateLimit:
    """The rate headers as numbers. Of several Reset values the smallest counts, as official clients have it."""
    return RateLimit(
        limit=_smallest(headers.all("X-Rate-Limit-Limit")),
        remaining=_smallest(headers.all("X-Rate-Limit-Remaining")),
        reset=_smallest(headers.all("X-Rate-Limit-Reset")),
    )


def wait_until_reset_s(headers: Headers) -> float | None:
    """Seconds from the answer's own Date to the end of the window, plus one; None when either is missing."""
    reset, date = rate_limit(headers).reset, http_date(headers.get("Date", ""))
    if reset is None or date is None:
        return None
    return max(reset - date.timestamp(), 0.0) + _MARGIN_S


def retry_after_s(headers: Headers, *, now: datetime) -> float | None:
    """Seconds that Retry-After asks for (a number or a date, RFC 9110 10.2.3); None when absent or unreadable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = http_date(text)
    if moment is None:
        return None
    # The org's own Date, when there, makes the difference right whatever our clock says.
    here = http_date(headers.get("Date", "")) or now
    return max((moment - here).total_seconds(), 0.0)


def wait_asked_s(status: int, headers: Headers, *, now: datetime) -> float | None:
    """Seconds the org asks to wait: until its window ends, else Retry-After; None when it says nothing."""
    # Rate headers come with nearly every answer. A fault in a window with room left is no reason to sit it out.
    if status != 429 and rate_limit(headers).remaining:
        return retry_after_s(headers, now=now)
    until_reset = wait_until_reset_s(headers)
    return until_reset if until_reset is not None else retry_after_s(headers, now=now)


def http_date(text: str) -> datetime | None:
    """The moment that a header such as Date names, aware; None when it is no HTTP date."""
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # here: costs a third of the import of this package

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _smallest(values: list[str]) -> int | None:
    numbers = [int(part) for value in values for part in value.split(",") if _is_number(part.strip())]
    return min(numbers, default=None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # int() refuses digits by the thousand
