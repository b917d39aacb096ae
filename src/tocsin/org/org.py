"""The org: takes risk events in, keeps who may ask and who asserts, and says how risky an IP is."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from tocsin.journal import Journal, JournalUnreachable
from tocsin.org.assertions import Assertion, consumed
from tocsin.org.bouncers import Bouncer
from tocsin.org.config import OrgConfig
from tocsin.org.crowdsec.decisions import Told, told
from tocsin.org.crowdsec.feed import KEPT_MS, Feed
from tocsin.org.decision import ProviderWord, decide, strongest
from tocsin.org.log.index import LogIndex
from tocsin.org.log.notes import Notes
from tocsin.org.log.system_log import SystemLog
from tocsin.org.oauth.keys import SigningKeys
from tocsin.org.providers import Provider
from tocsin.org.records import Deed, encode_record, risk_message, risk_topic
from tocsin.org.registry import Registry
from tocsin.org.risk_index import RiskIndex
from tocsin.org.sign_ins import SignIns
from tocsin.org.stores import Stores
from tocsin.org.tokens import Token
from tocsin.org.verdict import Verdict, Weighed
from tocsin.signals import RiskEvent, RiskLevel

_MESSAGES_WITHIN_S = 0.3
Clock = Callable[[], float]
"""Epoch seconds."""


class Org:
    """One org on one data folder, in one event loop."""

    def __init__(
        self,
        journal: Journal,
        registry: Registry,
        index: RiskIndex,
        feed: Feed,
        log_index: LogIndex,
        *,
        stores: Stores,
        config: OrgConfig,
        clock: Clock,
        shared: bool,
    ) -> None:
        """For `open_org`. `shared` says whether others have projections of the journal too."""
        self.trimmed = registry.trimmed if shared else None
        self._messages_within_s = _MESSAGES_WITHIN_S if shared else None
        self.clock, self.config = clock, config
        self.journal, self.index, self.feed, self.log_index = journal, index, feed, log_index
        self.system_log = SystemLog(journal, log_index, config.log)
        self.notes = Notes(journal)
        self.projector = registry.projector
        self.providers, self.tokens = registry.providers, registry.tokens
        self.clients, self.grants, self.issued = registry.clients, registry.grants, registry.issued
        self.secret, self.windows, self.used_proofs, self.last_uses, self.pulls, self.freshness = stores
        period_ms = config.oauth.key_rotation_days * 24 * 3600 * 1000
        self.signing_keys = SigningKeys(
            registry.signing_key_table, registry.changes, secret=stores.secret, period_ms=period_ms
        )
        self.policy, self.bouncers = registry.policy, registry.bouncers
        self.sign_ins = SignIns(journal, self.look_up)
        self.turns = asyncio.Semaphore(1)
        """To be held for each step, of a millisecond, of all that looks at many IPs: however many there are of it, a
        look-up waits for one step. Not longer: a client that takes its answer slowly shall keep nobody out."""

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
            await self.freshness.look_again()
            known = self.tokens.of_secret(secret)
        if known is not None:
            self.last_uses.note(known.id, self.now_ms)
        return known

    async def look_up(self, key: bytes) -> Verdict:
        """How risky the IP of a 16-byte `key` is now, and why. Raises JournalError or OrgError."""
        look = self.index.look_up(key)
        providers = {provider.id: provider for provider in self.providers.all()}
        decision = decide(look.assertions, {p.id: p.action for p in providers.values()}, now_ms=self.now_ms)
        return Verdict(
            level=decision.level,
            effective_level=decision.effective_level,
            until_ms=decision.until_ms,
            words=decision.words,
            ruling=self.policy.standing.rules.rule_on(key, decision.effective_level),
            providers={word.assertion.provider_id: providers[word.assertion.provider_id] for word in decision.words},
            messages=await self._messages(decision.words),
            cursor=look.cursor,
        )

    def provider_name(self, said: Assertion) -> str:
        """What the one who said that is called; empty when it was deleted."""
        provider = self.providers.get(said.provider_id)
        return "" if provider is None else provider.name

    def providers_with_words(self) -> set[str]:
        """
        Ids of those whose words are kept. A deleted one's count no more, but are there as long as a bouncer may come
        that was told of them: by them it is found what it has to delete.
        """
        return self.providers.ids_since(self.now_ms - KEPT_MS)

    def weigh(self, key: bytes) -> Weighed:
        """What is done about the IP of a 16-byte `key` now; a few microseconds, for the doors in a hurry. OrgError."""
        look = self.index.look_up(key)
        said = strongest(look.assertions, self.providers.enforcing, now_ms=self.now_ms)
        level = None if said is None else RiskLevel.of_severity(said.severity)
        return Weighed(said, self.policy.standing.rules.rule_on(key, level), look.cursor)

    def holding(self, key: bytes, assertions: Iterable[Assertion], *, now_ms: int) -> Told | None:
        """The decision at `now_ms` about the IP of a 16-byte `key`, of which this is said; None when there is none."""
        said = strongest(assertions, self.providers.enforcing, now_ms=now_ms)
        if said is None or (kind := self.policy.standing.rules.decision_type(key, said.severity)) is None:
            return None
        return told(key, said, kind=kind, provider_name=self.provider_name(said))

    async def bouncer_of(self, key: str) -> Bouncer | None:
        """The bouncer whose key this is, or None. One that was made a moment ago by another process is known."""
        known = self.bouncers.of_key(key)
        if known is None:
            await self.freshness.look_again()
            known = self.bouncers.of_key(key)
        return known

    async def _messages(self, words: Sequence[ProviderWord]) -> dict[str, str | None]:
        """Why each says so, by provider id. What others keep is not waited for long: the level stands without."""
        messages: dict[str, str | None] = {word.assertion.provider_id: None for word in words}
        holding = [word.assertion for word in words if not word.expired]
        if not holding or not self.freshness.reachable:
            return messages

        async def read(said: Assertion) -> None:
            with suppress(JournalUnreachable):
                if entry := await self.journal.get(said.seq):
                    messages[said.provider_id] = risk_message(entry, said.event, said.subject)

        if self._messages_within_s is None:
            for said in holding:  # a file has one reader: to ask it for all at once takes longer
                await read(said)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._messages_within_s):
                    await asyncio.gather(*map(read, holding))
        return messages
