"""A signal: one observation by a provider, as a source hands it to the relay, and what else it may hand over."""

from datetime import datetime

from msgspec import Struct

from tocsin.signals.levels import RiskLevel
from tocsin.signals.skipped import Skipped


class Signal(Struct, frozen=True, gc=False):
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


class Retraction(Struct, frozen=True, gc=False):
    """`source` no longer claims anything about `ip`, as of `observed`."""

    ip: str
    """Canonical text (`canonical_ip`)."""
    observed: datetime
    """Aware; a signal of the same source and IP that was observed later stands."""
    source: str = ""


class Batch(Struct, frozen=True, kw_only=True):
    """What one reading of a source gave, and where the next one goes on from: all of it is kept, or none."""

    source: str
    """Name of the list, sensor or feed; that of all its signals and retractions."""
    claims: list[Signal | Retraction]
    skipped: list[Skipped] = []
    """Records that became no signal; the broken ones are for quarantine."""
    position: bytes = b""
    """Where the source goes on from once this batch is durable. Only the source knows what it means."""
    ends_list: bool = False
    """
    Whether this ends one reading of a list that is always read whole: what the source claimed before, and neither in
    this batch nor in those since the last such end, is let go.
    """
