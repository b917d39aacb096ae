"""What a `[sources.NAME]` table of a configuration file may say. The types carry the limits; a typo stops the start."""

from typing import Annotated

from msgspec import Meta, Struct

from tocsin.signals import RiskLevel

Seconds = Annotated[float, Meta(ge=1, le=86_400)]
Life = Annotated[str, Meta(pattern=r"^[0-9]{1,4}(s|m|h|d)$")]
"""A span of time as people write it, such as `90m`, `24h` or `7d`."""


class SourceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input: where it is, how to read it, and what to make of it."""

    path: Annotated[str, Meta(min_length=1)]
    """A file, plain or compressed."""
    format: str | None = None
    """Name of its format; found by content when absent."""
    mapping: str | None = None
    """A mapping file (TOML or YAML) for what is in no known format."""
    every_s: Seconds = 60.0
    """How often to look for something new."""
    timezone: str = "UTC"
    """Of times that name no offset, such as `Europe/Berlin`."""
    own_networks: tuple[str, ...] = ()
    """Never signalled: our hosts and the addresses they are seen from outside (egress)."""
    trusted_proxies: tuple[str, ...] = ()
    """Ours too; where one of them is the peer, X-Forwarded-For tells the client."""
    allow_lists: tuple[str, ...] = ()
    """Files of addresses that are never signalled: a network a line, or MISP warning lists."""
    levels: dict[str, RiskLevel] = {}
    """The level for a value of the tool's own scale, in place of the format's table."""
    life: Life | None = None
    """How long a claim without an end of its own holds, in place of the format's choice."""
    max_expand: Annotated[int, Meta(ge=1, le=65_536)] = 256
    """The largest network to signal address by address; a larger one is skipped and counted."""
    allow_non_global: bool = False
    """True to pass addresses that are no host on the Internet."""
