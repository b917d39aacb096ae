"""When an input that is read whole is read again though it looks unchanged."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from tocsin.sources.config import SourceConfig

REREAD_AFTER = timedelta(hours=12)
"""An unchanged list is still true: it is read again before the 48 hours run out for which its entries hold."""


def is_due(read_at: float, now: datetime) -> bool:
    """Whether an unchanged input is read again; also where the clock was set back. `read_at` in epoch seconds."""
    return not 0 <= now.timestamp() - read_at <= REREAD_AFTER.total_seconds()


def fingerprint(config: SourceConfig) -> str:
    """
    A short hash of how an input is to be read: its table, and which state the files are in that this names.

    The same input reads as something else when it changes: other networks are ours, or another format.
    """
    files = [_state(path) for path in (config.mapping, *config.allow_lists) if path]
    return hashlib.sha256(msgspec.json.encode([config, files])).hexdigest()[:16]


def _state(path: str) -> tuple[int, int]:
    try:
        stat = Path(path).stat()
    except OSError:
        return 0, 0  # said by who reads it
    return stat.st_mtime_ns, stat.st_size
