"""What a ledger has carried forward, and what a stream has forgotten, against all that was ever written."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, note, settings
from hypothesis import strategies as st

from support.relay_fleet import ledger_over
from support.virtual_time import T0
from tocsin.journal import Entry, MemoryJournal
from tocsin.relay import Outbox
from tocsin.relay.books import TargetBook
from tocsin.relay.changes import Served, told_by
from tocsin.relay.fleet import Detector, Holding
from tocsin.relay.fleet.detector import SourceDoor
from tocsin.relay.fleet.ledger import FleetLedger
from tocsin.relay.fleet.stream import STREAM, seq_of, taken
from tocsin.relay.intake import Prepared
from tocsin.relay.ledger import Answered, Intent, Outcome, Spent
from tocsin.relay.plan import pack
from tocsin.relay.reconcile import Policy
from tocsin.signals import Batch, Retraction, RiskLevel, Signal, ip_text, to_ms

FEW = settings(max_examples=max(4, settings().max_examples // 10), deadline=None)  # each takes a while
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
IPS = [bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([n]) for n in range(7)]
LEVELS = list(RiskLevel)


class _Remembers(MemoryJournal):
    """Forgets nothing."""

    async def forget(self, topic: str, before: int) -> int:
        return 0


@contextmanager
def _opened() -> Iterator[Outbox]:
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox")
        outbox.serve([Served(Policy(target=outbox.target("acme").number), lambda key: False)])
        yield outbox
        outbox.close()


# The ledger of a target


class _Owner:
    """A worker that may hold the target, over one outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox, self.book = outbox, outbox.target("acme")

    def look(self, now_ms: int) -> tuple[object, ...]:
        """What it holds the org to believe, what it would tell next, and what lies in quarantine."""
        while self.outbox.wake(now_ms=now_ms, limit=100):
            pass
        standings = [(key, record.standing(self.book.number)) for key, record in self.outbox.dump()]
        held = [(key, s.severity, s.unsure, s.told_ms, s.until_ms) for key, s in standings if s.until_ms > now_ms]
        best = self.outbox.best(self.book.number, now_ms=now_ms, at_most=100).tellings
        waits = sorted((one.key, one.rank, one.severity, one.until_ms) for one in best)
        refused = sorted((one.ip, one.level, one.reason) for one in self.outbox.quarantine.all())
        book: TargetBook = self.book
        return held, waits, refused, book.told_ms, (book.limit, book.left, book.closes_ms)

    async def take(self, ledger: FleetLedger, now_ms: int) -> None:
        unanswered = False
        async for page in ledger.begin(self.book.ledger_seq):
            unanswered = self.outbox.in_flight.recover("acme", self.book, page, now_ms=now_ms)
        if unanswered:
            self.outbox.in_flight.lost("acme", self.book, now_ms=now_ms)


class _Request(NamedTuple):
    at_most: int
    outcome: Outcome | None
    """None when whoever sent it died before the answer."""


claimed = st.dictionaries(st.sampled_from(IPS), st.sampled_from([1, 2, 3]), min_size=1)
requests = st.builds(_Request, st.integers(1, 5), st.sampled_from([*Outcome, Outcome.DELIVERED, None]))
moves = st.one_of(claimed, requests, requests, st.sampled_from(["part", "part", "part", "moves"]))


async def _told(owner: _Owner, ledgers: list[FleetLedger], move: _Request, now_ms: int, left: int) -> None:
    """As a sender does it."""
    at_most = 1 if move.outcome is Outcome.REFUSED else move.at_most
    number, in_flight = owner.book.number, owner.outbox.in_flight
    tellings = owner.outbox.best(number, now_ms=now_ms, at_most=at_most).tellings
    if not tellings:
        return
    owner.book.told_ms, spent = now_ms, Spent(30, left, now_ms + 60_000)
    request = pack(tellings, now_ms=now_ms)
    in_flight.sends("acme", request)
    for ledger in ledgers:
        await ledger.intends(Intent(told_by(request), spent))
    owner.book.limit, owner.book.left, owner.book.closes_ms = 30, left, now_ms + 60_000
    match move.outcome:
        case None:
            return
        case Outcome.REFUSED:
            in_flight.refuse("acme", owner.book, tellings[0], "no", now_ms=now_ms)
        case Outcome.LOST:
            in_flight.lost("acme", owner.book, now_ms=now_ms)
        case _:
            in_flight.answered("acme", owner.book, delivered=move.outcome is Outcome.DELIVERED, now_ms=now_ms)
    for ledger in ledgers:
        answered = Answered(move.outcome, spent, "no", tellings[0].severity)
        owner.book.ledger_seq = await ledger.answered(answered)


@FEW
@given(st.lists(moves, min_size=10, max_size=40))
def test_who_reads_what_was_carried_forward_knows_what_the_whole_ledger_says(
    found: list[dict[bytes, int] | _Request | str],
) -> None:
    """The target moves between two workers, one of which is behind; at the end one comes that never had it."""
    note(f"{found}")

    async def main(stack: ExitStack) -> None:
        short, whole = MemoryJournal(), _Remembers()
        owner, other, cold, scholar = (_Owner(stack.enter_context(_opened())) for _ in range(4))
        now_ms = to_ms(T0)

        async def taken_by(one: _Owner, at: int) -> list[FleetLedger]:
            both = [ledger_over(whole, f"{at}"), ledger_over(short, f"{at}")]
            async for _ in both[0].begin(0):
                """Only fenced."""
            await one.take(both[1], now_ms)
            return both

        ledgers = await taken_by(owner, 0)
        for at, move in enumerate([dict.fromkeys(IPS, 2), *found], 1):
            now_ms += 1000
            match move:
                case dict():
                    ends_ms = now_ms + to_ms(T0 + WEEK) - to_ms(T0)
                    rows = [(key, severity, now_ms, ends_ms, b"") for key, severity in move.items()]
                    for one in (owner, other, cold, scholar):
                        one.outbox.take_in([Prepared("a", rows)], now_ms=now_ms)
                case _Request(outcome=None):
                    await _told(owner, ledgers, move, now_ms, left=at)
                    owner.outbox.in_flight.lost("acme", owner.book, now_ms=now_ms)
                    ledgers = await taken_by(owner, at)
                case _Request():
                    await _told(owner, ledgers, move, now_ms, left=at)
                case "part":
                    part = owner.outbox.in_flight.to_carry("acme", owner.book, now_ms=now_ms, records=3)
                    for ledger in ledgers:
                        seq = await ledger.carries(part)
                    owner.outbox.in_flight.has_carried("acme", owner.book, part, seq)
                case _:
                    before = owner.look(now_ms)
                    owner, other = other, owner
                    ledgers = await taken_by(owner, at)
                    assert owner.look(now_ms) == before
        await cold.take(ledger_over(short, "cold"), now_ms)
        await scholar.take(ledger_over(whole, "scholar"), now_ms)
        assert cold.look(now_ms) == scholar.look(now_ms) == owner.look(now_ms)

    with ExitStack() as stack:
        asyncio.run(main(stack))


# The stream of signals


class _Reading(NamedTuple):
    source: str
    listed: dict[bytes, int]
    whole: bool
    """Whether it comes to its end."""


class _Put(NamedTuple):
    source: str
    claims: dict[bytes, int]
    """IP key -> severity; 0 to take it back."""


readings = st.one_of(
    st.builds(_Reading, st.sampled_from("ab"), claimed, st.booleans()),
    st.builds(_Put, st.sampled_from("abc"), st.dictionaries(st.sampled_from(IPS), st.integers(0, 3), min_size=1)),
    st.sampled_from(["restart", "a reader looks", "a reader looks"]),
)


def _claims(outbox: Outbox) -> set[tuple[str, bytes, int, int, int]]:
    while outbox.let_go_step(now_ms=to_ms(T0), limit=100):
        pass
    names = {book.number: name for name, book in outbox.sources().items()}
    return {
        (names[claim.source], key, claim.severity, claim.observed_ms, claim.expires_ms)
        for key, record in outbox.dump()
        for claim in record.claims
    }


def _never(entry: Entry) -> None:
    raise AssertionError(f"{entry} was not understood")


async def _take_in(outbox: Outbox, journal: MemoryJournal, *, at_most: int) -> None:
    after = seq_of(outbox.source(STREAM).position)
    if entries := await journal.read(after, limit=at_most):
        outbox.take_in(taken(entries, passed_over=_never), now_ms=to_ms(T0))


@FEW
@given(st.lists(readings, min_size=5, max_size=20), st.integers(1, 4))
def test_what_the_stream_has_forgotten_of_a_list_nobody_needs(found: list[_Reading | _Put | str], pace: int) -> None:
    note(f"{found}")

    async def main(stack: ExitStack) -> None:
        short, whole = MemoryJournal(), _Remembers()
        slow, cold, scholar = (stack.enter_context(_opened()) for _ in range(3))
        now = T0
        doors: dict[tuple[str, MemoryJournal], SourceDoor] = {}

        async def begin(by: int) -> None:
            for journal in (short, whole):
                for name in "ab":
                    holding = Holding(f"source.{name}", by=f"{by}", holds=lambda: True)
                    door = doors[name, journal] = SourceDoor(journal, name, holding, clock=lambda: T0, life=WEEK)
                    await door.begin_reading(name)

        await begin(0)
        for at, move in enumerate(found, 1):
            now += MINUTE

            def said(source: str, claims: dict[bytes, int], dated: datetime) -> list[Signal | Retraction]:
                levels = {level.severity: level for level in LEVELS}
                return [
                    Signal(ip_text(key), levels[s], dated, dated + WEEK / 2, "", source)
                    if s
                    else Retraction(ip_text(key), dated, source)
                    for key, s in claims.items()
                ]

            for journal in (short, whole):
                match move:
                    case _Reading():
                        # "b" is a list that is given out once and fetched again and again.
                        again = move.source == "b"
                        listed = dict.fromkeys(move.listed, 2) if again else move.listed
                        signals, door = said(move.source, listed, T0 if again else now), doors[move.source, journal]
                        await door.put(Batch(source=move.source, claims=[*signals[:2]]))
                        await door.put(Batch(source=move.source, claims=[*signals[2:]], ends_list=move.whole))
                    case _Put():
                        await Detector(journal, clock=lambda: T0, life=WEEK).put(said(move.source, move.claims, now))
            if move == "restart":
                await begin(at)
            if move == "a reader looks":
                await _take_in(slow, short, at_most=pace)
        for outbox, journal in ((slow, short), (cold, short), (scholar, whole)):
            await _take_in(outbox, journal, at_most=250)
        assert _claims(slow) == _claims(cold) == _claims(scholar)
        assert len(await short.read()) <= len(await whole.read())

    with ExitStack() as stack:
        asyncio.run(main(stack))
