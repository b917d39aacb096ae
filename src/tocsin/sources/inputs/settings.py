"""From a `[sources.NAME]` table to what a reading needs, the same for every kind of input."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.formats import format_named
from tocsin.sources.guard import guard_of
from tocsin.sources.inputs.again import fingerprint
from tocsin.sources.mapping.builtin import profile_format
from tocsin.sources.mapping.paths import at_key
from tocsin.sources.mapping.profile import load_profile
from tocsin.sources.mapping.times import span
from tocsin.sources.reading import Reading
from tocsin.sources.source import Clock


def form_of(config: SourceConfig) -> Format | None:
    """The format that the table names, or that of its mapping; None to find it by content. Raises: SourceError."""
    if config.mapping is not None:
        return mapping_format(Path(config.mapping))
    return format_named(config.format) if config.format else None


def mapping_format(path: Path) -> Format:
    """The format that a mapping file of the user describes. Raises: SourceError, for what is wrong in it."""
    profile = load_profile(path)
    with at_key(str(path)):
        form = profile_format(profile)
        form.reader(Reading(now=datetime.now(UTC), source=""))  # compiles every expression: said now, not at a record
    return form


def reading_of(name: str, config: SourceConfig, *, now: datetime) -> Reading:
    """How the table wants its input read now. Raises: SourceError, for what is no network, file or time zone."""
    return Reading(
        now=now,
        source=name,
        allow_non_global=config.allow_non_global,
        guard=guard_of(config.own_networks, config.trusted_proxies, config.allow_lists),
        max_expand=config.max_expand,
        ipv6_prefix=config.ipv6_prefix,
        timezone=time_zone(config.timezone),
        levels=config.levels,
        life=span(config.life) if config.life else None,
    )


class CurrentReading:
    """How a table wants its input read, from one portion to the next: counts go on, and its files are read again."""

    def __init__(self, name: str, config: SourceConfig, clock: Clock) -> None:
        """Raises: SourceError, as `reading_of`."""
        self._name, self._config, self._clock = name, config, clock
        self._state = fingerprint(config)
        self._reading = reading_of(name, config, now=clock())

    def now(self) -> Reading:
        """Raises: SourceError, where an allow-list that has changed cannot be read."""
        state = fingerprint(self._config)
        if state != self._state:
            fresh = reading_of(self._name, self._config, now=self._clock())
            self._reading, self._state = msgspec.structs.replace(fresh, memory=self._reading.memory), state
        return msgspec.structs.replace(self._reading, now=self._clock(), goes_on=True)


def time_zone(name: str) -> ZoneInfo:
    """Raises: SourceError, for a name that the system does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SourceError(f"{name!r} is no time zone", hint="write one such as UTC or Europe/Berlin") from None
