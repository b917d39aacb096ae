"""Forgets entries of the journal that are past their retention, and loses nothing that still holds.

Risk events, issued access tokens, and what only the System Log shows, are forgotten from the oldest on. All else is
kept for ever: the directory is made again from it. What a provider said may hold for years longer than its entry is to
be kept. So before entries go, the index is walked, and what it holds from them and is not out of the way yet is said
again, by the org, in a record at the end of the journal (`RiskCarried`), with its own times and its reason.

An index that is made again from a trimmed journal equals the one that was there, but for what is out of the way:

- what the forgotten entries said and still mattered stands in a carried record, which overrules what stands before it;
- nothing of that provider stands between the state it was taken from and the record itself, for it is appended with the
  last entry of the topic as that state had it, and otherwise not at all;
- what they said and no longer matters was out of the way before the first request that comes: by rule 4 of `assertions`
  that is only when all it had kept away, and stands in later entries, is over too.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import groupby, islice

from tocsin.journal import Journal, JournalConflict
from tocsin.org.assertions import GRACE_MS
from tocsin.org.errors import OrgError
from tocsin.org.projector import Projector
from tocsin.org.records import (
    ISSUED_BRANCH,
    LOG_BRANCH,
    RISK_BRANCH,
    CarriedEvent,
    RiskCarried,
    asserted_record,
    encode_record,
    org_deed,
    record_time_ms,
    risk_topic,
)
from tocsin.org.risk_index import STEP_IPS, RiskIndex, Straggler
from tocsin.org.rounds import in_rounds
from tocsin.org.trimmed import Trimmed
from tocsin.signals.limits import SUBJECTS_PER_EVENT

_PAUSE_S = 0.05
_REST_S = 3600.0
_TRIES = 20
_FORGOTTEN = (RISK_BRANCH, LOG_BRANCH, ISSUED_BRANCH)
# Also when each has a life, and so an event, of its own; with the longest messages half of what an entry may hold.
_SUBJECTS_PER_RECORD = 1000


class TooBusy(OrgError):
    """What is to be carried forward changes faster than it can be written. Nothing was forgotten."""


class Retention:
    """Trims one journal."""

    def __init__(
        self,
        journal: Journal,
        projector: Projector,
        index: RiskIndex,
        *,
        keep_s: float,
        live: Callable[[], Collection[str]],
        clock: Callable[[], float],
        trimmed: Trimmed | None = None,
    ) -> None:
        """
        Args:
            keep_s: age at which an entry may be forgotten.
            live: ids of the providers whose words are kept; what others said is not carried forward.
            clock: epoch seconds.
            trimmed: where it is said what is about to go, when others have projections of the journal too. Each node
                trims: what one has done, another finds done.
        """
        self._trimmed = trimmed
        self._journal, self._projector, self._index = journal, projector, index
        self._keep_ms = int(keep_s * 1000)
        self._live, self._clock = live, clock

    async def run(self) -> None:
        """One round after another, with a rest between."""
        await in_rounds(self.round, rest_s=_REST_S, failed="retention.failed")

    async def round(self, *, pause_s: float = _PAUSE_S) -> int:
        """
        Forget what is past its retention now.

        Returns: how many entries were forgotten.
        Raises: JournalError or OrgError, TooBusy.
        """
        await self._projector.catch_up()
        horizon = await self._horizon(int(self._clock() * 1000) - self._keep_ms)
        await self._carry_all(horizon, pause_s)
        if self._trimmed is not None and await self._forgets_any(self._trimmed.before, horizon):
            await self._trimmed.note(horizon, at_ms=int(self._clock() * 1000))
        await self._projector.catch_up()  # so that nothing in the index points to what goes now
        return sum([await self._journal.forget(branch, horizon) for branch in _FORGOTTEN])

    async def _horizon(self, cutoff_ms: int) -> int:
        """The seq of about the first entry that is not older than `cutoff_ms`; all before it are applied."""
        old, young = 0, self._projector.applied + 1
        while young - old > 1:
            middle = (old + young) // 2
            (entry,) = await self._journal.read(middle - 1, limit=1)
            if record_time_ms(entry) < cutoff_ms:
                old = middle
            else:
                young = middle
        return young

    async def _forgets_any(self, known: int, horizon: int) -> bool:
        """Whether anything that may be forgotten stands from `known`, up to where it was trimmed, to `horizon`."""
        after = max(0, known - 1)
        while batch := [entry for entry in await self._journal.read(after) if entry.seq < horizon]:
            if any(entry.topic.startswith(_FORGOTTEN) for entry in batch):
                return True
            after = batch[-1].seq
        return False

    async def _carry_all(self, horizon: int, pause_s: float) -> None:
        place: bytes | None = b""
        while place is not None:
            at_ms = int(self._clock() * 1000) - GRACE_MS
            step = partial(self._index.stragglers, place, before=horizon, at_ms=at_ms, limit=STEP_IPS)
            found, place = await self._projector.alone(step)
            live = self._live()
            for some in _fitting([straggler for straggler in found if straggler.provider_id in live]):
                await self._carry(some)
            await asyncio.sleep(pause_s)

    async def _carry(self, stragglers: Sequence[Straggler]) -> None:
        """Say again what `stragglers`, all of one provider and few enough for one record, still say."""
        provider_id = stragglers[0].provider_id
        topic, reasons = risk_topic(provider_id), await self._reasons(stragglers)
        for _ in range(_TRIES):
            last = await self._journal.last(topic)
            await self._projector.catch_up()
            still = await self._projector.alone(partial(self._index.still_held, stragglers))
            record = RiskCarried(org_deed(int(self._clock() * 1000)), provider_id, list(_events(still, reasons)))
            try:
                if still:
                    await self._journal.append(topic, encode_record(record), expect_last=last)
                return
            except JournalConflict:
                continue
        raise TooBusy(
            f"{topic} is written to so quickly that its old entries cannot be forgotten",
            hint="nothing is lost; it is tried again in an hour",
        )

    async def _reasons(self, stragglers: Sequence[Straggler]) -> dict[Straggler, str]:
        """The message of each that had one."""
        reasons = {}
        for seq, of_entry in groupby(sorted(stragglers, key=_seq), key=_seq):
            entry = await self._journal.get(seq)
            record = asserted_record(entry) if entry is not None else None
            if record is None:
                continue
            for straggler in of_entry:
                event, subject = divmod(straggler.word.position, SUBJECTS_PER_EVENT)
                messages = record.events[event].messages
                if messages is not None and messages[subject]:
                    reasons[straggler] = messages[subject]
        return reasons


def _seq(straggler: Straggler) -> int:
    return straggler.word.seq


def _life(straggler: Straggler) -> tuple[str, int, int, int]:
    """What subjects of one event have in common."""
    word = straggler.word
    return straggler.provider_id, word.observed_ms, word.expires_ms, word.until_ms


def _fitting(stragglers: list[Straggler]) -> Iterator[list[Straggler]]:
    """Parts of one provider each that fit into one record."""
    for _, of_provider in groupby(sorted(stragglers, key=_life), key=lambda straggler: straggler.provider_id):
        while some := list(islice(of_provider, _SUBJECTS_PER_RECORD)):
            yield some


def _of_one_event(stragglers: Iterator[Straggler]) -> Iterator[list[Straggler]]:
    """Parts that fit into one event each."""
    for _, alike in groupby(stragglers, key=_life):
        while some := list(islice(alike, SUBJECTS_PER_EVENT)):
            yield some


def _events(stragglers: Sequence[Straggler], reasons: dict[Straggler, str]) -> Iterator[CarriedEvent]:
    """The events of a record; `stragglers` are in the order of `_fitting`."""
    for some in _of_one_event(iter(stragglers)):
        word = some[0].word
        messages = [reasons.get(straggler, "") for straggler in some]
        yield CarriedEvent(
            observed_ms=word.observed_ms,
            expires_ms=word.expires_ms,
            ips=b"".join([straggler.key for straggler in some]),
            severities=bytes([straggler.word.severity for straggler in some]),
            messages=messages if any(messages) else None,
            until_ms=word.until_ms,
        )
