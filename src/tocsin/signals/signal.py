"""A signal: one observation by a provider, as a reader hands it to the relay."""

from datetime import datetime

from msgspec import Struct

from tocsin.signals.levels import RiskLevel


class Signal(Struct, frozen=True):
    """`source` saw `ip` do something at `observed` that makes it risky until `expires`."""

    ip: str
    """Canonical text (`canonical_ip`)."""
    level: RiskLevel
    observed: datetime
    """Aware; the relay lets the latest observation of a source win."""
    expires: datetime
    """Aware; nothing is claimed beyond it."""
    message: str = ""
    """Legal on the wire: at most 512 of the allowed characters."""
    source: str = ""
    """Name of the list, sensor or feed."""
