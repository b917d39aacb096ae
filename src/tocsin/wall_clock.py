"""The clock that a program starts with; what decides is handed one."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)
