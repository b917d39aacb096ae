"""Times on the wire: RFC 3339 with any offset in, `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'` out (the API's one printed form)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
"""An RFC 3339 time that names its offset; what msgspec accepts for it is what the pipe accepts."""


def parse_timestamp(text: str) -> datetime:
    """
    The moment an RFC 3339 text names, with the offset it was written in.

    Raises: ValueError, whose text quotes the input and says why it is refused.
    """
    try:
        return msgspec.convert(text, Timestamp)
    except msgspec.ValidationError:
        pass
    try:
        msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 time such as 2026-02-03T09:15:00.000Z") from None
    raise ValueError(f"{text[:60]!r} names no offset: end it with Z or one such as +00:00")


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z; `moment` must be aware."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """The UTC moment of `ms` since the epoch. Raises OverflowError beyond the years 1 to 9999."""
    return EPOCH + ms * _MILLISECOND


def format_timestamp(moment: datetime) -> str:
    """The wire form in UTC, cut (not rounded) to milliseconds, so nothing is claimed later than it was."""
    return from_ms(to_ms(moment)).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
