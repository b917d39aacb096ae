"""Spans of time as people write them."""

from datetime import timedelta


def about(span: timedelta) -> str:
    """`about 1 min 20 s`, to the second; `a few seconds` for less than five."""
    seconds = round(span.total_seconds())
    if seconds < 5:
        return "a few seconds"
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else ""]
    return "about " + " ".join(part for part in parts if part)
