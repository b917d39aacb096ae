"""What goes on beside an open org: it is made ready, and its projections and journal are kept up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import structlog

from tocsin.org.log.retention import LogRetention
from tocsin.org.org import Org
from tocsin.org.retention import Retention
from tocsin.org.rounds import in_background
from tocsin.org.sweeper import Sweeper

_DAY_S = 24 * 3600.0
_log = structlog.get_logger("tocsin.org")


@asynccontextmanager
async def at_work(
    org: Org, keep_up: "Callable[[Org], Coroutine[None, None, None]] | None" = None
) -> AsyncIterator[None]:
    """Make what a first start makes; then, meanwhile, keep the org up: with `upkeep`, or as told."""
    await start(org)
    await org.projector.catch_up()
    try:
        async with in_background((keep_up or upkeep)(org), org.notes.run()):
            yield
    finally:
        await org.notes.drain()


async def start(org: Org) -> None:
    """Catch up with what the directory is made from, and make what a first start makes. Raises JournalError."""
    await org.projector.catch_up_first()
    await org.providers.make_default(at_ms=org.now_ms)
    configured = org.config.policy
    if configured is not None and not await org.policy.start_from(configured, at_ms=org.now_ms):
        remedy = "set it over HTTP to what the configuration says, or take it out of the configuration"
        _log.warning("policy.set_over_http_holds", remedy=remedy)


async def upkeep(org: Org) -> None:
    """Keep the projections up with the journal, forget what has expired, and trim the journal: for ever."""
    live = org.providers_with_words
    sweeper = Sweeper(org.projector, org.index, live=live, clock=org.clock)
    keep_s = org.config.log.retention_days * _DAY_S
    retention = Retention(
        org.journal, org.projector, org.index, keep_s=keep_s, live=live, clock=org.clock, trimmed=org.trimmed
    )
    log_retention = LogRetention(org.projector, org.log_index, org.system_log, clock=org.clock)
    async with asyncio.TaskGroup() as tasks:
        for work in (org.projector.run(), sweeper.run(), retention.run(), log_retention.run()):
            tasks.create_task(work)
