"""What has changed for a bouncer since it asked last, from the journal and the feed: in bounded memory, without a gap.

For each IP that an entry or an end since then is about, the bouncer is told what holds now, once:

- a decision holds: it is new. One that is weaker than others could be takes back the stronger types first, for not
  every bouncer lets a `captcha` replace a `ban`.
- none holds: those that may have held are deleted. An IP may be deleted that was never told of: to bouncers that is
  the same, and to remember all that was told would take as much room again as the index does.

A change of the policy or of a provider may change the decision about every IP, so then the bouncer is told everything.
So it is when it is not known how far it has come. What holds may have changed again between the moment up to which a
bouncer is told and the look-up: then it is told the newer, and that again next time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from tocsin.journal import Entry
from tocsin.org.assertions import Assertion, subject_position
from tocsin.org.crowdsec.decisions import Told, told
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
    risk_record,
)
from tocsin.org.risk_index import place_of
from tocsin.signals.ip import KEY_BYTES

_IPS_AT_ONCE = 200  # looked at in about a millisecond; then others get a turn
_ENTRIES_AT_ONCE = 8
_ENDS_AT_ONCE = 100
_USUAL_TYPES = ("ban", "captcha")


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
        """What has changed after `pull` and up to `until`; all there is, when `pull` is too old to tell."""
        if pull.at_ms < self._now_ms - KEPT_MS:
            async for one in self.all():
                yield Change([], one)
        elif await self._all_may_have_changed(pull):
            async for key, assertions in self._walk():
                yield self._change(key, assertions, told_of(key, "", until_ms=self._now_ms), every_type=True)
        else:
            async for change in self._said(pull.seq, self.until.seq):
                yield change
            async for change in self._ended(pull):
                yield change

    def holding(self, key: bytes, assertions: list[Assertion]) -> Told | None:
        """The decision about one IP, if there is one and it is asked for."""
        org = self._org
        said = strongest(assertions, org.providers.enforcing, now_ms=self._now_ms)
        kind = None if said is None else org.policy.standing.rules.decision_type(key, said.severity)
        if said is None or kind is None:
            return None
        one = told(key, said, kind=kind, provider_name=self._org.provider_name(said))
        return one if self._wanted.fits(one) else None

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
            page = self._org.index.page(place, limit=_IPS_AT_ONCE, last=last)
            for key, assertions in page.found:
                if wanted.covers(key):
                    yield key, assertions
            place = page.next
            await asyncio.sleep(0)

    async def _all_may_have_changed(self, pull: Pull) -> bool:
        journal = self._org.journal
        return max(await journal.last(PROVIDER_TOPIC), await journal.last(POLICY_TOPIC)) > pull.seq

    async def _said(self, after: int, until: int) -> AsyncIterator[Change]:
        while after < until:
            batch = await self._org.journal.read(after, limit=_ENTRIES_AT_ONCE)
            if not batch:
                return
            for entry in batch:
                async for change in self._said_with(entry, until):
                    yield change
            after = batch[-1].seq

    async def _said_with(self, entry: Entry, until: int) -> AsyncIterator[Change]:
        record = risk_record(entry) if entry.seq <= until else None
        enforcing = self._org.providers.enforcing
        if record is None or record.provider_id not in enforcing:
            return
        async for subject in self._subjects(record):
            assertions = self._org.index.look_up(subject.key).assertions
            words = {
                said.provider_id: (said.seq, said.position) for said in assertions if said.provider_id in enforcing
            }
            # What was said in this place and swept since counts as its provider's last word.
            place = words.setdefault(record.provider_id, (entry.seq, subject.position))
            if place == (entry.seq, subject.position) and place == max(words.values()):
                gone = told_of(subject.key, self._name(record.provider_id), until_ms=self._now_ms)
                yield self._change(subject.key, assertions, gone)

    async def _ended(self, pull: Pull) -> AsyncIterator[Change]:
        end = End(pull.at_ms, self.until.seq + 1)  # all that ended in that millisecond was told
        while ends := self._org.feed.ended(end, self._now_ms, limit=_ENDS_AT_ONCE):
            for end in ends:
                entry = await self._org.journal.get(end.seq) if end.seq <= pull.seq else None
                record = None if entry is None else asserted_record(entry)
                if record is not None and record.provider_id in self._org.providers.enforcing:
                    async for change in self._ended_with(record, end):
                        yield change

    async def _ended_with(self, record: RiskEventsConsumed | RiskCarried, end: End) -> AsyncIterator[Change]:
        async for subject in self._subjects(record):
            assertions = self._org.index.look_up(subject.key).assertions
            word = next((said for said in assertions if said.provider_id == record.provider_id), None)
            # Swept already, or still that word: what replaced it was told when it was said.
            if word is None or (word.seq, word.position, word.expires_ms) == (end.seq, subject.position, end.at_ms):
                now = strongest(assertions, self._org.providers.enforcing, now_ms=self._now_ms)
                if now is None or now.severity < subject.severity:
                    yield self._end(record, subject, end, self.holding(subject.key, assertions))

    def _end(self, record: RiskEventsConsumed | RiskCarried, subject: _Subject, end: End, new: Told | None) -> Change:
        kind = self._org.policy.standing.rules.decision_type(subject.key, subject.severity)
        if kind is None or self._wanted.type not in (None, kind) or (new is not None and new.type == kind):
            return Change([], new)
        gone = told_of(subject.key, self._name(record.provider_id), until_ms=end.at_ms)
        return Change([gone._replace(type=kind)], new)

    async def _subjects(self, record: RiskEventsConsumed | RiskCarried) -> AsyncIterator[_Subject]:
        events: Sequence[ConsumedEvent | CarriedEvent] = record.events
        for number, event in enumerate(events):
            await asyncio.sleep(0)
            for place, severity in enumerate(event.severities):
                key = event.ips[place * KEY_BYTES : (place + 1) * KEY_BYTES]
                if self._wanted.covers(key):
                    yield _Subject(key, severity, subject_position(number, place))

    def _change(self, key: bytes, assertions: list[Assertion], gone: Told, *, every_type: bool = False) -> Change:
        """
        What the IP of `key` changes to.

        Args:
            gone: what is told of a decision that is deleted, but its type.
            every_type: whether weaker types than the new one, and such as the policy has no more, may be held too.
        """
        new = self.holding(key, assertions)
        kinds = self._org.policy.standing.rules.types()
        if every_type:
            kinds = [kind for kind in dict.fromkeys([*kinds, *_USUAL_TYPES]) if new is None or kind != new.type]
        elif new is not None:
            kinds = kinds[: kinds.index(new.type)]
        asked = () if self._wanted.nothing else kinds
        return Change([gone._replace(type=kind) for kind in asked if self._wanted.type in (None, kind)], new)

    def _name(self, provider_id: str) -> str:
        provider = self._org.providers.get(provider_id)
        return "" if provider is None else provider.name


def told_of(key: bytes, provider_name: str, *, until_ms: int) -> Told:
    """A decision that ended at `until_ms`, of no type yet."""
    return Told(key, "", provider_name, 0, until_ms)
