"""GET /risk/v1/stream: server-sent events about every IP that somebody asserts something of, as it happens.

A stream ends when the token that opened it is revoked or expires; the client comes back with another one.

Each event stands for one place of the journal, and its id says which: a client that comes back with `Last-Event-ID`
gets what followed, nothing twice and nothing left out, as far back as the journal keeps what is asserted. What an event
tells of the IP is what holds when it is sent. Not told are the level from before, which nobody keeps, and the end of an
assertion, which `until` says ahead. Source of the form: HTML, 9.2, Server-sent events.

    ready     the first of a client that names no id: from here on
    risk      a provider asserted something about an IP
    changed   a provider or the policy was changed: what holds of any IP may be another thing now
    reset     the id is not of this journal: ask anew for what you hold, and go on from here
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tocsin.journal import Entry, JournalUnreachable
from tocsin.org.assertions import life_of, subject_position
from tocsin.org.http.authorization import is_still_let_in
from tocsin.org.http.errors import bad_argument, method_not_allowed, too_many_requests
from tocsin.org.http.exchange import SLOWEST_S, ClientGone, Exchange
from tocsin.org.http.views import JournalPlace, time_text
from tocsin.org.org import Org
from tocsin.org.policy import Ruling
from tocsin.org.principals import Principal
from tocsin.org.records import POLICY_TOPIC, PROVIDER_TOPIC, ConsumedEvent, RiskEventsConsumed, risk_record
from tocsin.signals import RiskLevel, RiskProviderAction, ip_text
from tocsin.signals.ip import KEY_BYTES

LIVE_PATH = "/risk/v1/stream"
_ENTRIES_AT_ONCE = 4
_ID = re.compile(r"(?P<seq>\d{1,18})(-(?P<position>\d{1,4}))?")
_WHOLE = 1_000_000  # beyond any position in an entry
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]
_REST_S = 1.0
_BEAT = b": still here\n\n"


class Place(NamedTuple):
    """How far a client has come: the entry, and the subject of it that it was told last."""

    seq: int
    position: int = _WHOLE

    def __str__(self) -> str:
        """As an event's id."""
        return f"{self.seq}" if self.position == _WHOLE else f"{self.seq}-{self.position}"


class RiskView(Struct, frozen=True, rename="camel"):
    """What an event of the kind `risk` tells."""

    ip: str
    level: RiskLevel
    """What was asserted."""
    provider_id: str
    provider_name: str
    provider_action: RiskProviderAction
    expires: str
    effective_level: RiskLevel | None
    """What holds now; so do the fields that follow."""
    until: str | None
    policy: Ruling
    journal: JournalPlace


class LiveDoor:
    """The streams of one org."""

    def __init__(self, org: Org) -> None:
        self._org, self._config = org, org.config.live
        self._clients = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams; clients come back later with the id they have."""
        self._closing.set()

    async def answer(self, exchange: Exchange) -> None:
        """
        200, for as long as the client stays and takes what it is sent.

        Raises: Refusal (400, 429), ClientGone, JournalError.
        """
        if exchange.head:
            raise method_not_allowed("GET")  # it would have no end
        told = exchange.header(b"last-event-id")
        place = None if not told else _read_place(told)
        if self._clients >= self._config.clients:
            raise too_many_requests()
        self._clients += 1
        try:
            await self._stream(exchange, place)
        finally:
            self._clients -= 1

    async def _stream(self, exchange: Exchange, place: Place | None) -> None:
        # A place beyond what this node has may be one that another node told, or of another journal.
        knows = place is None or place.seq <= self._org.projector.applied or place.seq <= await self._org.journal.last()
        await exchange.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        gone = asyncio.create_task(_until_gone(exchange))
        ends = [asyncio.create_task(self._closing.wait()), gone]
        assert exchange.principal is not None
        try:
            async for text in self._events(place, ends, exchange.principal, knows=knows):
                async with asyncio.timeout(SLOWEST_S):  # one that does not take what it is sent is let go
                    await exchange.send({"type": "http.response.body", "body": text, "more_body": True})
            if not gone.done():
                await exchange.send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            raise ClientGone from None
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _events(
        self, place: Place | None, ends: list[asyncio.Task[bool]], principal: Principal, *, knows: bool
    ) -> AsyncIterator[bytes]:
        """
        What to send, until one of `ends` is done, or `principal` is not let in any more.

        Args:
            knows: whether `place` is one of this journal.
        """
        here = Place(self._org.projector.applied)
        if place is None or not knows:
            yield _event("ready" if place is None else "reset", here, {"cursor": here.seq})
            place = here
        while not any(task.done() for task in ends) and is_still_let_in(self._org, principal):
            try:
                applied = await self._applied(_before(place))
            except JournalUnreachable:  # what is left to tell is told when it answers again
                rest_s = min(_REST_S, self._config.heartbeat_s)
                await asyncio.wait(ends, timeout=rest_s, return_when=asyncio.FIRST_COMPLETED)
                yield _BEAT
                continue
            for entry in applied:
                for text in self._told(entry, place):
                    yield text
                place = Place(entry.seq)
            if not applied and not await self._news_of(place.seq, ends):
                yield _BEAT

    async def _applied(self, after: int) -> list[Entry]:
        """The next entries beyond `after` that were applied. The journal is asked only when there are some."""
        if self._org.projector.applied <= after:
            return []
        batch = await self._org.journal.read(after, limit=_ENTRIES_AT_ONCE)
        return [entry for entry in batch if entry.seq <= self._org.projector.applied]

    async def _news_of(self, seq: int, ends: list[asyncio.Task[bool]]) -> bool:
        """Whether something beyond `seq` was applied, or one of `ends` is done, before it is time for a heartbeat."""
        more = asyncio.create_task(self._org.projector.wait_for(seq + 1, at_most_s=self._config.heartbeat_s))
        try:
            done, _ = await asyncio.wait([more, *ends], return_when=asyncio.FIRST_COMPLETED)
            return more not in done or more.result()
        finally:
            more.cancel()

    def _told(self, entry: Entry, place: Place) -> Iterator[bytes]:
        """What `entry` tells a client that has come as far as `place`."""
        if entry.topic in (PROVIDER_TOPIC, POLICY_TOPIC):
            yield _event("changed", Place(entry.seq), {"what": entry.topic})
        elif (record := risk_record(entry)) is not None:
            for number, event in enumerate(record.events):
                # One event at a time is sent at once: few sends, and still little to hold.
                texts = self._told_of(record, event, entry.seq, number, after=place)
                if text := b"".join(texts):
                    yield text

    def _told_of(
        self, record: RiskEventsConsumed, event: ConsumedEvent, seq: int, number: int, *, after: Place
    ) -> Iterator[bytes]:
        provider = self._org.providers.get(record.provider_id)
        expires_ms = life_of(event, received_ms=record.received_ms).expires_ms
        for subject, severity in enumerate(event.severities):
            place = Place(seq, subject_position(number, subject))
            if place <= after or provider is None or provider.action is RiskProviderAction.NONE:
                continue
            key = event.ips[subject * KEY_BYTES : (subject + 1) * KEY_BYTES]
            weighed = self._org.weigh(key)
            said = weighed.said
            view = RiskView(
                ip=ip_text(key),
                level=RiskLevel.of_severity(severity),
                provider_id=provider.id,
                provider_name=provider.name,
                provider_action=provider.action,
                expires=time_text(expires_ms),
                effective_level=None if said is None else RiskLevel.of_severity(said.severity),
                until=None if said is None else time_text(said.expires_ms),
                policy=weighed.ruling,
                journal=JournalPlace(seq, number, subject),
            )
            yield _event("risk", place, view)


def _event(kind: str, place: Place, view: object) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(place).encode(), kind.encode(), msgspec.json.encode(view))


def _before(place: Place) -> int:
    """The seq after which to read on: an entry of which a part was told is read again."""
    return place.seq if place.position == _WHOLE else place.seq - 1


def _read_place(text: str) -> Place:
    found = _ID.fullmatch(text)
    if found is None:
        raise bad_argument("Last-Event-ID is not the id of an event")
    return Place(int(found["seq"]), _WHOLE if found["position"] is None else int(found["position"]))


async def _until_gone(exchange: Exchange) -> bool:
    try:
        while True:
            await exchange.receive()
    except ClientGone:
        return True
