"""What each source never speaks of, from its table of the configuration, looked at again while a relay runs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec

from tocsin.errors import TocsinError
from tocsin.relay import Guards

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.sources import SourceConfig

GUARDS_EVERY_S = 15.0


class Guarded(Protocol):
    """A relay, or all engines of a worker."""

    async def guard(self, guards: Guards) -> None:
        """From now on sources never speak of these."""
        ...


def guards_of(sources: "Mapping[str, SourceConfig]", known: Guards | None = None) -> Guards:
    """
    What each source never speaks of now; `known` where nothing has changed since.

    Raises: SourceError, where an allow-list cannot be read.
    """
    from tocsin.sources import fingerprint, guard_of, never_signalled

    guarded = {name: one for name, one in sources.items() if one.own_networks or one.trusted_proxies or one.allow_lists}
    terms = msgspec.json.encode({name: fingerprint(one) for name, one in guarded.items()}) if guarded else b""
    if known is not None and terms == known.terms:
        return known
    guards = {n: guard_of(one.own_networks, one.trusted_proxies, one.allow_lists) for n, one in guarded.items()}
    return Guards({name: never_signalled(guard) for name, guard in guards.items()}, terms)


async def keep_guards(relay: Guarded, sources: "Mapping[str, SourceConfig]", guards: Guards) -> None:
    """Let go what an allow-list holds that has changed. One that cannot be read is said by its source."""
    while True:
        await asyncio.sleep(GUARDS_EVERY_S)
        with suppress(TocsinError):
            guards = await asyncio.to_thread(guards_of, sources, guards)
            await relay.guard(guards)
