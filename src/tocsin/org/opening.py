"""From a data folder to what is open: an org, or its registry alone; caught up with the journal, or behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

from tocsin.org.config import OrgConfig
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.folder import DataFolder
from tocsin.org.log.index import LogIndex
from tocsin.org.org import Clock, Org
from tocsin.org.registry import Registry
from tocsin.org.risk_index import RiskIndex
from tocsin.org.trimmed import Whole, begin_anew_if_outrun

_DEFAULTS = OrgConfig()
_T = TypeVar("_T")


@asynccontextmanager
async def open_org(
    folder: DataFolder, config: OrgConfig = _DEFAULTS, *, clock: Clock | None = None
) -> AsyncIterator[Org]:
    """
    The org of `folder`, caught up with its journal. May be open in several processes at once; one of them serves.

    Raises: OrgError or JournalError, when a file of the folder cannot be used.
    """
    if folder.backing.shared:
        async with open_registry(folder) as registry:
            before = registry.trimmed.before
        await asyncio.to_thread(begin_anew_if_outrun, folder, before)
    with folder.in_use():
        async with org_behind(folder, config, clock=clock) as org:
            await org.projector.catch_up()
            if org.trimmed is not None:
                await Whole(folder).look(org.projector, org.trimmed)
            yield org


@asynccontextmanager
async def org_behind(
    folder: DataFolder, config: OrgConfig = _DEFAULTS, *, clock: Clock | None = None
) -> AsyncIterator[Org]:
    """`open_org` for one who holds the folder already: its projections may be behind the journal."""
    clock = clock or folder.backing.now
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(folder.backing.opened())
        index = await _opened(stack, partial(RiskIndex, folder.index), _close)
        feed = await _opened(stack, partial(Feed, folder.feed), _close)
        log_index = await _opened(stack, partial(LogIndex, folder.log), _close)
        make = partial(Registry, journal, folder.directory, (index, feed, log_index), clock=clock)
        registry = await _opened(stack, make, Registry.close)
        kept = folder.backing.stores(folder, journal, registry.projector, feed, clock())
        stores = await stack.enter_async_context(kept)
        org = Org(
            journal,
            registry,
            index,
            feed,
            log_index,
            stores=stores,
            config=config,
            clock=clock,
            shared=folder.backing.shared,
        )
        stack.push_async_callback(org.system_log.close)
        yield org


@asynccontextmanager
async def open_registry(folder: DataFolder) -> AsyncIterator[Registry]:
    """
    Tokens and providers of `folder`, to change them also while the org runs. The risk index is not touched.

    Raises: OrgError or JournalError, when a file of the folder cannot be used.
    """
    async with registry_behind(folder) as registry:
        await registry.projector.catch_up()
        yield registry


@asynccontextmanager
async def registry_behind(folder: DataFolder) -> AsyncIterator[Registry]:
    """`open_registry`, but it may be behind the journal."""
    with folder.in_use():
        async with registry_of(folder) as registry:
            yield registry


@asynccontextmanager
async def registry_of(folder: DataFolder) -> AsyncIterator[Registry]:
    """`registry_behind` for one who holds the folder already."""
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(folder.backing.opened())
        make = partial(Registry, journal, folder.directory, clock=folder.backing.now)
        yield await _opened(stack, make, Registry.close)


async def _opened(stack: AsyncExitStack, make: Callable[[], _T], close: Callable[[_T], Awaitable[None]]) -> _T:
    """
    What `make` opens; `stack` closes it.

    In a thread: a node opens orgs beside others that answer, and a new file, or what SQLite and LMDB find after a
    crash, takes tens of milliseconds.
    """
    opening = asyncio.create_task(asyncio.to_thread(make))

    async def close_it() -> None:
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await close(opening.result())

    stack.push_async_callback(close_it)  # before it is waited for: whoever waits may be cancelled, the thread is not
    return await asyncio.shield(opening)


async def _close(file: RiskIndex | Feed | LogIndex) -> None:
    await asyncio.to_thread(file.close)
