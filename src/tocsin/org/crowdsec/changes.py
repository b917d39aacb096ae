"""What has changed for a bouncer since it asked last, from the journal and the feed: in bounded memory, without a gap.

For each IP that an entry or an end since then is about, the bouncer is told what holds now, once:

- a decision holds: it is new. One that is weaker than others could be takes back the stronger types first, for not
  every bouncer lets a `captcha` replace a `ban`.
- none holds: those that may have held are deleted. An IP may be deleted that was never told of: to bouncers that is
  the same, and to remember all that was told would take as much room again as the index does.

A change of the policy or of a provider may change the decision about every IP, so then the bouncer is told everything:
of every IP that the index has, and of those that it has no more and something was said of since, or ended, each type
that does not hold is deleted. What a deleted provider said is kept that long (`Org.providers_with_words`).
A bouncer that was away for longer than ends are kept is told what the index has; what was taken back meanwhile and is
swept it has to find out by the duration it was told, or by asking anew. One of which it is not known how far it has
come is told everything. What holds may have changed again between the moment up to which a bouncer is told and the
look-up: then it is told the newer, and that again next time.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple

from tocsin.org.assertions import Assertion, subject_position
from tocsin.org.crowdsec.decisions import Told
from tocsin.org.crowdsec.feed import KEPT_MS, End, Pull
from tocsin.org.crowdsec.filters import Filter, bounds
from tocsin.org.decision import strongest
from tocsin.org.org import Org
from tocsin.org.records import (
    POLICY_TOPIC,
    PROVIDER_TOPIC,
    CarriedEvent,
    ConsumedEvent,
    RiskCarried,
    RiskEventsConsumed,
    asserted_record,
)
from tocsin.org.risk_index import place_of
from tocsin.signals.ip import KEY_BYTES

_IPS_AT_ONCE = 200  # looked at in about a millisecond; then others get a turn
_ENTRIES_AT_ONCE = 8
_ENDS_AT_ONCE = 100
_USUAL_TYPES = ("ban", "captcha")
_Record = RiskEventsConsumed | RiskCarried


class Change(NamedTuple):
    """What one IP changes to."""

    deleted: list[Told]
    new: Told | None


class _Subject(NamedTuple):
    key: bytes
    severity: int
    position: int


class Scribe:
    """Tells of one org what a bouncer with a `Filter` asks for."""

    def __init__(self, org: Org, wanted: Filter) -> None:
        self._org, self._wanted = org, wanted
        self._now_ms = org.now_ms
        self.until = Pull(org.projector.applied, self._now_ms)
        """How far a bouncer has come that is told by this one."""

    async def all(self) -> AsyncIterator[Told]:
        """Every decision that holds, each IP once, in the order of the index."""
        async for key, assertions in self._walk():
            if (one := self.holding(key, assertions)) is not None:
                yield one

    async def since(self, pull: Pull) -> AsyncIterator[Change]:
        """What has changed after `pull` and up to `until`; what the index has, when `pull` is too old to tell."""
        is_late = pull.at_ms < self._now_ms - KEPT_MS
        if is_late or await self._all_may_have_changed(pull):
            async for key, assertions in self._walk():
                yield self._anything(key, assertions)
            if not is_late:
                async for key in self._mentioned(pull):
                    yield self._anything(key, self._org.index.look_up(key).assertions)._replace(new=None)
        else:
            async for change in self._said(pull.seq):
                yield change
            async for change in self._ended(pull):
                yield change

    def holding(self, key: bytes, assertions: list[Assertion]) -> Told | None:
        """The decision about one IP, if there is one and it is asked for."""
        one = self._org.holding(key, assertions, now_ms=self._now_ms)
        return one if one is not None and self._wanted.fits(one) else None

    async def _walk(self) -> AsyncIterator[tuple[bytes, list[Assertion]]]:
        wanted = self._wanted
        if wanted.nothing:
            return
        if wanted.key is not None:
            yield wanted.key, self._org.index.look_up(wanted.key).assertions
            return
        first, last = (b"", None) if wanted.within is None else map(place_of, bounds(wanted.within))
        place: bytes | None = first
        while place is not None:
            async with self._org.turns:
                page = self._org.index.page(place, limit=_IPS_AT_ONCE, last=last)
                await asyncio.sleep(0)
            for key, assertions in page.found:
                if wanted.covers(key):
                    yield key, assertions
            place = page.next

    async def _all_may_have_changed(self, pull: Pull) -> bool:
        journal = self._org.journal
        return max(await journal.last(PROVIDER_TOPIC), await journal.last(POLICY_TOPIC)) > pull.seq

    async def _mentioned(self, pull: Pull) -> AsyncIterator[bytes]:
        """The IPs that something was said of since `pull`, or ended, by whomever."""
        async for _, record in self._entries(pull.seq):
            async for subject in self._subjects(record):
                yield subject.key
        async for record, _ in self._ends(pull):
            async for subject in self._subjects(record):
                yield subject.key

    async def _said(self, after: int) -> AsyncIterator[Change]:
        async for seq, record in self._entries(after):
            if record.provider_id in self._org.providers.enforcing:
                async for change in self._said_with(seq, record):
                    yield change

    async def _entries(self, after: int) -> AsyncIterator[tuple[int, _Record]]:
        """What entries after `after` say, up to `until`."""
        while after < self.until.seq:
            batch = await self._org.journal.read(after, limit=_ENTRIES_AT_ONCE)
            if not batch:
                return
            for entry in batch:
                if entry.seq <= self.until.seq and (record := asserted_record(entry)) is not None:
                    yield entry.seq, record
            after = batch[-1].seq

    async def _said_with(self, seq: int, record: _Record) -> AsyncIterator[Change]:
        enforcing = self._org.providers.enforcing
        async for subject in self._subjects(record):
            assertions = self._org.index.look_up(subject.key).assertions
            words = {
                said.provider_id: (said.seq, said.position) for said in assertions if said.provider_id in enforcing
            }
            # What was said in this place and swept since counts as its provider's last word.
            place = words.setdefault(record.provider_id, (seq, subject.position))
            if place == (seq, subject.position) and place == max(words.values()):
                gone = told_of(subject.key, self._name(record.provider_id), until_ms=self._now_ms)
                yield self._change(subject.key, assertions, gone)

    async def _ended(self, pull: Pull) -> AsyncIterator[Change]:
        async for record, end in self._ends(pull):
            if record.provider_id in self._org.providers.enforcing:
                async for change in self._ended_with(record, end):
                    yield change

    async def _ends(self, pull: Pull) -> AsyncIterator[tuple[_Record, End]]:
        """What has ended since `pull`, of what was said before it."""
        end = End(pull.at_ms, self.until.seq + 1)  # all that ended in that millisecond was told
        while ends := self._org.feed.ended(end, self._now_ms, limit=_ENDS_AT_ONCE):
            for end in ends:
                entry = await self._org.journal.get(end.seq) if end.seq <= pull.seq else None
                record = None if entry is None else asserted_record(entry)
                if record is not None:
                    yield record, end

    async def _ended_with(self, record: _Record, end: End) -> AsyncIterator[Change]:
        async for subject in self._subjects(record):
            assertions = self._org.index.look_up(subject.key).assertions
            word = next((said for said in assertions if said.provider_id == record.provider_id), None)
            # Swept already, or still that word: what replaced it was told when it was said.
            if word is None or (word.seq, word.position, word.expires_ms) == (end.seq, subject.position, end.at_ms):
                now = strongest(assertions, self._org.providers.enforcing, now_ms=self._now_ms)
                if now is None or now.severity < subject.severity:
                    yield self._end(record, subject, end, self.holding(subject.key, assertions))

    def _end(self, record: _Record, subject: _Subject, end: End, new: Told | None) -> Change:
        kind = self._org.policy.standing.rules.decision_type(subject.key, subject.severity)
        if kind is None or self._wanted.type not in (None, kind) or (new is not None and new.type == kind):
            return Change([], new)
        gone = told_of(subject.key, self._name(record.provider_id), until_ms=end.at_ms)
        return Change([gone._replace(type=kind)], new)

    async def _subjects(self, record: _Record) -> AsyncIterator[_Subject]:
        events: Sequence[ConsumedEvent | CarriedEvent] = record.events
        for number, event in enumerate(events):
            await asyncio.sleep(0)
            for place, severity in enumerate(event.severities):
                key = event.ips[place * KEY_BYTES : (place + 1) * KEY_BYTES]
                if self._wanted.covers(key):
                    yield _Subject(key, severity, subject_position(number, place))

    def _change(self, key: bytes, assertions: list[Assertion], gone: Told) -> Change:
        """What the IP of `key` changes to; `gone` is what is told of a decision that is deleted, but its type."""
        new = self.holding(key, assertions)
        kinds = self._org.policy.standing.rules.types()
        return self._instead(gone, kinds if new is None else kinds[: kinds.index(new.type)], new)

    def _anything(self, key: bytes, assertions: list[Assertion]) -> Change:
        """What the IP of `key` changes to from whatever it was: also a weaker type, or one the policy has no more."""
        new = self.holding(key, assertions)
        kinds = dict.fromkeys([*self._org.policy.standing.rules.types(), *_USUAL_TYPES])
        gone = told_of(key, "", until_ms=self._now_ms)
        return self._instead(gone, [kind for kind in kinds if new is None or kind != new.type], new)

    def _instead(self, gone: Told, kinds: Iterable[str], new: Told | None) -> Change:
        asked = () if self._wanted.nothing else kinds
        return Change([gone._replace(type=kind) for kind in asked if self._wanted.type in (None, kind)], new)

    def _name(self, provider_id: str) -> str:
        provider = self._org.providers.get(provider_id)
        return "" if provider is None else provider.name


def told_of(key: bytes, provider_name: str, *, until_ms: int) -> Told:
    """A decision that ended at `until_ms`, of no type yet."""
    return Told(key, "", provider_name, 0, until_ms)
