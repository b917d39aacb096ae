"""The sender: waits for the budget, tells a target the best of what waits, and does what the ruling says."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.errors import TocsinError
from tocsin.relay.books import TargetBook
from tocsin.relay.budget import Haste, may_go_at
from tocsin.relay.changes import told_by
from tocsin.relay.errors import TargetPaused
from tocsin.relay.ledger import Answered, Intent, Ledger, NoLedger, Outcome, Spent
from tocsin.relay.outbox_thread import OutboxThread
from tocsin.relay.plan import Request, Telling, halves
from tocsin.relay.reconcile import Rank
from tocsin.relay.ruling import Answer, Bisect, Delivered, PauseTarget, Quarantine, Ruling, SendAgain, in_words, rule
from tocsin.relay.steady_clock import SteadyClock
from tocsin.relay.target import Target
from tocsin.relay.watcher import Sent, Tally, Waits, Watcher
from tocsin.relay.window import LENGTH, Allowance, Window
from tocsin.signals import from_ms, to_ms
from tocsin.wall_clock import utc_now

TOO_MANY = 429
REFUSED_IN_A_ROW = 5
"""So many refused alone and nothing taken in this run: it is the target or its URL that is wrong, not the signals."""
REFUSED_IN_A_ROW_ONCE_KNOWN = 25
"""The same for a target that has taken something: a few bad signals may well be neighbours."""
LOOKS_AGAIN_AFTER = timedelta(minutes=5)
"""A paused target is tried once in this time: who mends it need not tell the relay."""

AHEAD_AT_MOST_MS = 5 * 60 * 1000
"""A telling is not dated further ahead than this; an org believes no future."""


class _Pause(NamedTuple):
    until: datetime
    why: str


class Sender:
    """Serves one target, one request at a time, for as long as `serve` runs."""

    def __init__(
        self,
        name: str,
        target: Target,
        book: TargetBook,
        outbox: OutboxThread,
        *,
        ledger: Ledger | None = None,
        patient: bool = True,
        watcher: Watcher | None = None,
        clock: Callable[[], datetime] = utc_now,
        steady: SteadyClock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            name: that of the target in the outbox.
            ledger: where it is written down what the target is told, for others; None on one machine.
            steady: that of `clock`, where several go by it.
            patient: True to spread the work over the window and to wait for a target that fails; False to send as
                fast as the budget allows, and to raise when a person has to mend something.
        """
        self.name, self.tally = name, Tally()
        self.changed, self.idle = asyncio.Event(), asyncio.Event()
        self._target, self._book, self._box = target, book, outbox
        self._ledger = ledger or NoLedger()
        self._patient, self._watcher = patient, watcher
        self._clock, self._draw = clock, draw
        self._steady = steady or SteadyClock(clock)
        self._window = self._window_in_book()
        self._last_sent: datetime | None = None
        self._last_sent_ms = 0
        self._pause: _Pause | None = None
        self._suspects: list[list[bytes]] = []
        self._suspects_turn = True
        self._tries, self._known, self._refused_alone = 0, False, 0
        self._ending = False
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def serve(self) -> None:
        """
        Tell the target whatever there is to tell, until cancelled, or ended.

        Raises: TargetPaused, unless patient; LeaseLost, when it is another's to tell; RelayError, for what no waiting
            can mend.
        """
        await self._take_over()
        while not self._ending:
            self.changed.clear()
            haste = await self._box.do(self._haste)
            if haste is None:
                self.idle.set()
                await self.changed.wait()
                self.idle.clear()
            elif not await self._waited(haste) and not self._ending:
                self._at_rest.clear()
                try:
                    await self._send()
                finally:
                    self._at_rest.set()

    async def end(self) -> None:
        """Send nothing more; returns when the request that is on its way has been answered."""
        self._ending = True
        self.changed.set()
        await self._at_rest.wait()

    @property
    def to(self) -> str:
        """What to call its target in messages."""
        return self._target.name

    def _haste(self) -> Haste | None:
        """How urgent the work is; None when there is none."""
        outbox, number = self._box.outbox, self._book.number
        first = outbox.first(number)
        if first is None:
            self._suspects.clear()
            return None
        of_rank, since_ms = first
        if not self._patient:
            return Haste.AT_ONCE
        if of_rank != Rank.RAISE_HIGH:
            return Haste.SPREAD
        did_not_fit = since_ms < self._last_sent_ms
        if did_not_fit or outbox.pending(number, Rank.RAISE_HIGH) >= self._target.subjects_per_request:
            return Haste.AT_ONCE
        return Haste.DANGEROUS

    async def _waited(self, haste: Haste) -> bool:
        """Whether it is too early; then some time has passed, or something has changed."""
        now = self._steady()
        until = may_go_at(self._window, haste=haste, last_sent=self._last_sent, now=now)
        why = "the window is used up"
        if self._pause is not None and self._pause.until > until:
            until, why = self._pause
        if until <= now:
            return False
        if self._watcher is not None:
            self._watcher.waits(Waits(self.name, until - now, why))
        with suppress(TimeoutError):
            async with asyncio.timeout((until - now).total_seconds()):
                await self.changed.wait()
        return True

    async def _send(self) -> None:
        """
        One request. What is durable, in this order: it is in flight here; it is meant, in the ledger; then it goes out;
        what became of it, here; the same in the ledger. Whoever goes on, from here or from the ledger, repeats it once.
        """
        now = self._clock()
        tellings, suspected = await self._box.do(self._choose, to_ms(now))
        if not tellings:
            return
        self._book.told_ms = _later(self._book.told_ms, to_ms(now))
        request = self._target.pack(tellings, now_ms=self._book.told_ms)
        spent, _ = self._window.spend(self._steady())
        await self._box.do(self._box.outbox.in_flight.sends, self.name, request)
        # The last before the request goes out: after it nothing is waited for on a disk.
        self._book.ledger_seq = await self._ledger.intends(Intent(told_by(request), self._spent(spent)))
        self._window = spent
        answer = await self._tell(request, to_ms(now))
        ruling = rule(
            answer,
            subjects=len(request.tellings),
            tries=self._tries + 1,
            known=self._known,
            patient=self._patient,
            now=self._steady(),
            draw=self._draw(),
        )
        if suspected:
            self._suspects.pop()
        left = self._spent(_known_to_others(self._window, ruling, answer))
        self._note(ruling, left)
        became = _became(ruling, answer)
        answered = Answered(became, left, answer.reason, request.tellings[0].severity)
        self._book.unwritten = answered
        outcome = await self._obey(ruling, request, lost=became is Outcome.LOST, suspected=suspected)
        await self._write_down(answered)
        await self._report(request, answer, outcome, sent_at=now)
        await self._carry_forward(len(request.tellings))

    async def _take_over(self) -> None:
        """Learn from the ledger what the target was told by others, and what they used of its budget."""
        outbox, unanswered, unwritten = self._box.outbox, False, self._book.unwritten
        async for page in self._ledger.begin(self._book.ledger_seq):
            now_ms = to_ms(self._clock())
            unanswered = await self._box.do(outbox.in_flight.recover, self.name, self._book, page, now_ms=now_ms)
            if page.entries:
                unwritten = None  # it was written down after all, or others have told it again since
        self._window = self._window_in_book()
        if unwritten is not None:
            await self._write_down(unwritten)
        self._book.unwritten = None
        if unanswered:
            # It has used up one request, and may have opened a window at any moment until now.
            self._window = self._window.heard(Allowance(), now=self._steady())
            await self._keep(lost=True)

    async def _write_down(self, answered: Answered) -> None:
        self._book.ledger_seq = await self._ledger.answered(answered)
        self._book.unwritten = None

    async def _carry_forward(self, subjects: int) -> None:
        """Let nobody need the ledger from its start. Between two requests: nothing is in flight."""
        if self._ledger.carries_after(subjects):
            box, now_ms = self._box, to_ms(self._clock())
            part = await box.do(box.outbox.in_flight.to_carry, self.name, self._book, now_ms=now_ms)
            seq = await self._ledger.carries(part)
            await box.do(box.outbox.in_flight.has_carried, self.name, self._book, part, seq)

    def _choose(self, now_ms: int) -> tuple[list[Telling], bool]:
        """What to tell now, and whether it is suspected to be refused."""
        outbox, number = self._box.outbox, self._book.number
        while self._suspects and self._suspects_turn:
            if tellings := outbox.still(number, self._suspects[-1], now_ms=now_ms):
                self._suspects_turn = False  # so that something dangerous need not wait for all of them
                return tellings, True
            self._suspects.pop()
        self._suspects_turn = True
        suspects = frozenset(key for group in self._suspects for key in group)
        best = outbox.best(number, now_ms=now_ms, at_most=self._target.subjects_per_request, without=suspects)
        if best.stale:
            outbox.look_again(best.stale, now_ms=now_ms)
        if self._suspects and (not best.tellings or best.tellings[0].rank != Rank.RAISE_HIGH):
            return self._choose(now_ms)
        return best.tellings, False

    async def _tell(self, request: Request, now_ms: int) -> Answer:
        self._last_sent, self._last_sent_ms, self._pause = self._steady(), now_ms, None
        self._count(requests=1, retries=int(self._tries > 0))
        self.tally.in_flight = len(request.tellings)
        try:
            answer = await self._target.tell(request)
        except TocsinError:  # it was never sent; a cancelled one may have been, and stays in flight
            self._count(requests=-1, retries=-int(self._tries > 0))
            self.tally.in_flight = 0
            raise
        self.tally.in_flight = 0
        self._known = self._known or answer.status is not None
        self._window = self._window.heard(answer.allowance, now=self._steady())
        return answer

    async def _obey(self, ruling: Ruling, request: Request, *, lost: bool, suspected: bool) -> str:
        """Do it. Returns: what became of the request, in a word."""
        tellings = request.tellings
        tries, self._tries = self._tries, 0
        match ruling:
            case Delivered():
                self.tally.delivered += len(tellings)
                self._book.delivered += len(tellings)
                self._refused_alone = 0
                await self._keep(delivered=True)
                return "delivered"
            case SendAgain(at=at, why=why):
                self._tries, self._pause = tries + 1, _Pause(at, why)
                if suspected:
                    self._suspects.append([telling.key for telling in tellings])
                await self._keep(lost=lost)
                return "again"
            case Bisect():
                first, second = halves(tellings)
                self._suspects += [[telling.key for telling in half] for half in (second, first)]
                self._suspects_turn = True
                await self._keep()
                return "halved"
            case Quarantine(reason=reason):
                await self._refuse(tellings[0], reason)
                return "refused"
            case PauseTarget(reason=reason, remedy=remedy):
                await self._stop(reason, remedy, lost=lost)
                return "paused"

    async def _keep(self, *, delivered: bool = False, lost: bool = False) -> None:
        """What became of the request, durably."""
        box, now_ms = self._box, to_ms(self._clock())
        if lost:
            await box.do(box.outbox.in_flight.lost, self.name, self._book, now_ms=now_ms)
        else:
            await box.do(box.outbox.in_flight.answered, self.name, self._book, delivered=delivered, now_ms=now_ms)

    async def _refuse(self, telling: Telling, reason: str) -> None:
        self._book.refused += 1
        outbox, now_ms = self._box.outbox, to_ms(self._clock())
        refusal = await self._box.do(outbox.in_flight.refuse, self.name, self._book, telling, reason, now_ms=now_ms)
        self.tally.refused.append(refusal)
        self._refused_alone += 1
        if self._refused_alone >= (REFUSED_IN_A_ROW_ONCE_KNOWN if self.tally.delivered else REFUSED_IN_A_ROW):
            self._refused_alone = 0
            self._suspects.clear()  # after the pause the best goes first again
            remedy = "check that the URL is that of an org that takes risk events"
            await self._stop(f"it refuses every signal, the last one so: {reason}", remedy)

    async def _stop(self, reason: str, remedy: str, *, lost: bool = False) -> None:
        self._book.paused, self._book.remedy = reason, remedy
        await self._keep(lost=lost)
        if not self._patient:
            raise TargetPaused(self._target.name, reason=reason, remedy=remedy)
        self._pause = _Pause(self._steady() + LOOKS_AGAIN_AFTER, reason)

    def _count(self, *, requests: int, retries: int) -> None:
        self.tally.requests += requests
        self.tally.retries += retries
        self._book.requests += requests
        self._book.retries += retries

    def _note(self, ruling: Ruling, spent: Spent) -> None:
        book = self._book
        book.limit, book.left, book.closes_ms = spent.limit, spent.left, spent.closes_ms
        book.paused = book.remedy = ""
        book.answered_ms = to_ms(self._clock())
        book.answer = in_words(ruling)

    def _spent(self, window: Window) -> Spent:
        """A window as it is written down."""
        closes_ms = 0 if window.closes_at is None else self._steady.shown_ms(window.closes_at)
        return Spent(window.limit, window.left, closes_ms)

    def _window_in_book(self) -> Window:
        """The window of the target as its last answer left it, if it is open still."""
        window, book = self._target.window, self._book
        if not book.closes_ms:
            return window
        limit = book.limit if window.at_most is None else min(book.limit, window.at_most)
        # None is open for longer than its length: what says so was dated by a clock that has been set back since.
        closes_at = min(self._steady.moment(book.closes_ms), self._steady() + LENGTH)
        return replace(window, limit=limit, left=min(book.left, limit), closes_at=closes_at)

    async def _report(self, request: Request, answer: Answer, outcome: str, *, sent_at: datetime) -> None:
        if self._watcher is None:
            return
        tellings = request.tellings
        pending = await self._box.do(self._box.outbox.pending, self._book.number)
        requests = -(-pending // self._target.subjects_per_request)
        now = self._clock()
        sent = Sent(
            target=self.name,
            subjects=len(tellings),
            outcome=outcome,
            status=answer.status,
            reason="" if outcome == "delivered" else answer.reason,
            remedy=self._book.remedy,
            again_in=timedelta() if self._pause is None else max(timedelta(), self._pause.until - self._steady()),
            took=now - sent_at,
            waited=sent_at - from_ms(min(telling.since_ms for telling in tellings)),
            left=self._window.left,
            delivered=self.tally.delivered,
            pending=pending,
            ahead=self._window.time_for(requests, now=self._steady()),
        )
        self._watcher.sent(sent)


def _known_to_others(window: Window, ruling: Ruling, answer: Answer) -> Window:
    """With the pause that the target asked for, since whoever goes on knows of no other."""
    if isinstance(ruling, SendAgain) and answer.status == TOO_MANY:
        return replace(window, left=0, closes_at=ruling.at)
    return window


def _became(ruling: Ruling, answer: Answer) -> Outcome:
    match ruling:
        case Delivered():
            return Outcome.DELIVERED
        case Quarantine():
            return Outcome.REFUSED
    lost = answer.sent and (answer.status is None or answer.status >= 500)
    return Outcome.LOST if lost else Outcome.NOT_TAKEN


def _later(told_ms: int, now_ms: int) -> int:
    """The moment to tell at. What is told later must be newer, also after the clock was set back a little."""
    return max(now_ms, min(told_ms, now_ms + AHEAD_AT_MOST_MS))
