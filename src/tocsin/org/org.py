"""The org: takes risk events in, keeps who may ask and who asserts, and says how risky an IP is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from tocsin.journal import Journal
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.assertions import consumed
from tocsin.org.config import OrgConfig
from tocsin.org.decision import Decision, ProviderWord, decide
from tocsin.org.folder import DataFolder
from tocsin.org.providers import Provider, Providers
from tocsin.org.records import Deed, encode_record, risk_message, risk_topic
from tocsin.org.registry import Registry
from tocsin.org.retention import Retention
from tocsin.org.risk_index import RiskIndex
from tocsin.org.sweeper import Sweeper
from tocsin.org.tokens import Token
from tocsin.signals import RiskEvent

_DEFAULTS = OrgConfig()
_DAY_S = 24 * 3600.0
Clock = Callable[[], float]
"""Epoch seconds."""


class Verdict(Decision, frozen=True):
    """A decision, with what it was made of."""

    providers: dict[str, Provider]
    """Those whose word is in it, by id."""
    messages: dict[str, str | None]
    """Why each says so, by provider id; None when it told no reason, its word expired, or the journal was trimmed."""
    cursor: int
    """Seq of the last journal entry that is in it."""


class Org:
    """One org on one data folder, in one event loop."""

    def __init__(
        self, journal: Journal, registry: Registry, index: RiskIndex, *, config: OrgConfig, clock: Clock
    ) -> None:
        """For `open_org`."""
        self.clock, self.config = clock, config
        self.journal, self.index = journal, index
        self.projector = registry.projector
        self.providers, self.tokens = registry.providers, registry.tokens

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock() * 1000)

    async def accept(self, events: list[RiskEvent], provider: Provider, *, deed: Deed) -> int:
        """
        Take in checked `events`; they are durable when this returns, and soon after in the index.

        Returns: the seq of the journal entry that holds them.
        Raises: JournalError, and nothing was accepted.
        """
        record = consumed(events, deed=deed, provider_id=provider.id)
        return await self.journal.append(risk_topic(provider.id), encode_record(record))

    async def token_of(self, secret: str) -> Token | None:
        """The API token that this is, or None. One that was made a moment ago by another process is known."""
        known = self.tokens.of_secret(secret)
        if known is None:
            await self.projector.catch_up_first()
            known = self.tokens.of_secret(secret)
        return known

    async def look_up(self, key: bytes) -> Verdict:
        """How risky the IP of a 16-byte `key` is now, and why. Raises JournalError or OrgError."""
        look = self.index.look_up(key)
        providers = {provider.id: provider for provider in self.providers.all()}
        decision = decide(look.assertions, {p.id: p.action for p in providers.values()}, now_ms=self.now_ms)
        return Verdict(
            level=decision.level,
            effective_level=decision.effective_level,
            words=decision.words,
            providers={word.assertion.provider_id: providers[word.assertion.provider_id] for word in decision.words},
            messages={word.assertion.provider_id: await self._message(word) for word in decision.words},
            cursor=look.cursor,
        )

    async def _message(self, word: ProviderWord) -> str | None:
        said = word.assertion
        entry = await self.journal.get(said.seq) if not word.expired else None
        return risk_message(entry, said.event, said.subject) if entry is not None else None


@asynccontextmanager
async def open_org(
    folder: DataFolder, config: OrgConfig = _DEFAULTS, *, clock: Clock = time.time
) -> AsyncIterator[Org]:
    """
    The org of `folder`, caught up with its journal. May be open in several processes at once; one of them serves.

    Raises: OrgError or JournalError, when a file of the folder cannot be used.
    """
    with folder.in_use():
        async with org_behind(folder, config, clock=clock) as org:
            await org.projector.catch_up()
            yield org


@asynccontextmanager
async def org_behind(
    folder: DataFolder, config: OrgConfig = _DEFAULTS, *, clock: Clock = time.time
) -> AsyncIterator[Org]:
    """`open_org` for one who holds the folder already: its projections may be behind the journal."""
    async with AsyncExitStack() as stack:
        journal = await SqliteJournal.open(folder.journal)
        stack.push_async_callback(journal.close)
        index = RiskIndex(folder.index)
        stack.callback(index.close)
        registry = Registry(journal, folder.directory, [index])
        stack.push_async_callback(registry.close)
        yield Org(journal, registry, index, config=config, clock=clock)


@asynccontextmanager
async def open_registry(folder: DataFolder) -> AsyncIterator[Registry]:
    """
    Tokens and providers of `folder`, to change them also while the org runs. The risk index is not touched.

    Raises: OrgError or JournalError, when a file of the folder cannot be used.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.in_use())
        journal = await SqliteJournal.open(folder.journal)
        stack.push_async_callback(journal.close)
        registry = Registry(journal, folder.directory)
        stack.push_async_callback(registry.close)
        await registry.projector.catch_up()
        yield registry


@asynccontextmanager
async def at_work(
    org: Org, keep_up: "Callable[[Org], Coroutine[None, None, None]] | None" = None
) -> AsyncIterator[None]:
    """Make what a first start makes; then, meanwhile, keep the org up: with `upkeep`, or as told."""
    await org.providers.make_default(at_ms=org.now_ms)
    await org.projector.catch_up()
    async with in_background((keep_up or upkeep)(org)):
        yield


async def upkeep(org: Org) -> None:
    """Keep the projections up with the journal, forget what has expired, and trim the journal: for ever."""
    live = partial(_ids, org.providers)
    sweeper = Sweeper(org.projector, org.index, live=live, clock=org.clock)
    keep_s = org.config.retention.days * _DAY_S
    retention = Retention(org.journal, org.projector, org.index, keep_s=keep_s, live=live, clock=org.clock)
    async with asyncio.TaskGroup() as tasks:
        for work in (org.projector.run(), sweeper.run(), retention.run()):
            tasks.create_task(work)


def _ids(providers: Providers) -> list[str]:
    return [provider.id for provider in providers.all()]


@asynccontextmanager
async def in_background(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run `works` meanwhile; at the end they are cancelled and waited for."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
