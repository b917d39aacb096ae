"""A worker of a fleet: says that it is there, takes what falls to it, and leaves what falls to others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from secrets import token_hex
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from tocsin.errors import TocsinError
from tocsin.journal import JournalConflict, JournalError, JournalUnreachable, KeyValue
from tocsin.relay.errors import LeaseLost, RelayError
from tocsin.relay.fleet.faults import AGAIN_AFTER_S, Faults
from tocsin.relay.fleet.fenced import Holding
from tocsin.relay.fleet.lease import NO_LEASE, Timing, renewed
from tocsin.relay.fleet.membership import Owner, Presence, digest_of, falls_to, key_of, may_take, present
from tocsin.relay.fleet.ownership import Ownership, written_by_another

LEAVE_WITHIN_S = 10.0
"""A request that is on its way when its target is to be left may take so long."""
FREE_FOR_LEASES = 2
"""What another one shall have, which has not begun with it for so long and may not know of it, is anyone's."""
AT_ONCE = 32

Work = Callable[[Holding], Awaitable[object]]
"""Serves one item until asked to leave it (`Holding.leaving`), or cancelled."""


class Says(Protocol):
    """Is told what happens to a worker and what it holds."""

    def info(self, event: str, **facts: object) -> object:
        """Something happened."""
        ...

    def warning(self, event: str, **facts: object) -> object:
        """Something does not work."""
        ...


class _Held(NamedTuple):
    holding: Holding
    revision: int
    task: asyncio.Task[None]


class Worker:
    """One worker over the two tables of its fleet; `serve` is all it does."""

    def __init__(
        self,
        name: str,
        works: Mapping[str, Work],
        *,
        workers: KeyValue,
        owners: KeyValue,
        timing: Timing,
        monotonic_s: Callable[[], float],
        log: Says,
    ) -> None:
        """
        Args:
            name: no other worker of the fleet has it, and it is the same after a restart.
            works: item, such as `target.acme` -> what serves it.
            workers: the table in which an entry stands for `timing.life_s`.
            monotonic_s: a clock that only goes forward, best also while the machine sleeps.
        """
        self.name, self._works = name, works
        self._workers, self._owners, self._ownership = workers, owners, Ownership(owners)
        self._timing, self._monotonic_s, self._log = timing, monotonic_s, log
        self._presence = Presence(name, token_hex(8), digest_of(works))
        self._revision: int | None = None
        self._joined_s = float("inf")
        self._lease = NO_LEASE
        self._live: list[Presence] = []
        self._mine: set[str] = set()
        self._of_unlike: set[str] = set()
        self._free_since_s: dict[str, float] = {}
        self._held: dict[str, _Held] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._to_give_back: dict[str, int] = {}
        self._giving_back = asyncio.Lock()
        self._faults = Faults()

    @property
    def holds(self) -> list[str]:
        """The items that it serves now."""
        return sorted(self._held)

    async def serve(self, stopped: asyncio.Event) -> None:
        """
        Take part in the fleet until `stopped` is set; then leave in good order.

        Raises: RelayError, when another worker has this one's name.
        """
        # Apart from the rest: what is taken may be much, and the lease does not wait for it.
        renewing = asyncio.create_task(self._renew_for_ever())
        following = asyncio.create_task(self._ownership.follow(warn=self._cut_off))
        watch = asyncio.create_task(self._watch())
        try:
            while not stopped.is_set():
                await self._settle()
                await _wait(stopped, self._timing.round_s)
                for task in (renewing, following):
                    if task.done():
                        task.result()
            await self._leave(list(self._held))
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._absent()
        finally:
            for task in (renewing, following, watch):
                task.cancel()
            await self._drop(list(self._held))
            await asyncio.gather(renewing, following, watch, *self._leaving, return_exceptions=True)

    async def _renew_for_ever(self) -> None:
        while True:
            asked_s = self._monotonic_s()
            try:
                await self._renew(asked_s)
                pause_s = self._timing.pause_s(asked_s=asked_s, now_s=self._monotonic_s())
            except JournalError as error:
                self._cut_off(error.summary)
                pause_s = self._timing.round_s / 2
            await asyncio.sleep(pause_s)

    async def _settle(self) -> None:
        """Take what falls to us and is free, and leave what falls to others."""
        if self._monotonic_s() - self._joined_s < self._timing.round_s / 2:
            return  # others may start at this moment: what is taken now would have to move
        try:
            self._look_at(present(await self._workers.all()))
            self._leave_soon(self._held.keys() - self._mine - self._of_unlike)
            await self._give_back(self._strays())
            await self._take()
        except JournalError as error:
            self._cut_off(error.summary)
        except msgspec.DecodeError as error:
            raise written_by_another(error) from None

    def _strays(self) -> dict[str, int]:
        """What is ours by the table and nobody's in truth: its taking was answered too late, or by a run before."""
        wanted = self._held.keys() | self._mine | self._of_unlike
        had = self._ownership.had_by(self.name)
        return {item: revision for item, revision in had.items() if item not in wanted}

    def _cut_off(self, reason: str) -> None:
        self._log.warning("worker.cut_off", reason=reason)

    def _look_at(self, live: list[Presence]) -> None:
        # Of this worker it is known here, and not from a server that may be behind.
        others = [replace(one, failing=[]) for one in live if one.worker != self.name]
        live = [*others, replace(self._presence, cannot=self._faults.cannot(self._monotonic_s()))]
        if live != self._live:
            self._live = live
            self._mine, self._of_unlike = falls_to(self._presence, self._works, live)
            self._log.info("worker.fleet", workers=len(live), share=len(self._mine), of=len(self._works))

    def _present(self) -> Presence:
        now_s = self._monotonic_s()
        return replace(self._presence, cannot=self._faults.cannot(now_s), failing=self._faults.failing(now_s))

    async def _renew(self, asked_s: float) -> None:
        """Say that we are there. The lease counts from `asked_s`, which is before it was said."""
        key, value = key_of(self.name), msgspec.json.encode(self._present())
        try:
            known = self._revision if self._revision is not None else await self._standing(first=True)
            revision = await self._workers.put(key, value, revision=known)
        except JournalConflict:
            # An acknowledgement that got lost, or our entry has ended; or a namesake.
            revision = await self._workers.put(key, value, revision=await self._standing(first=False))
        if not self._in_time():
            await self._drop(list(self._held))  # others may have taken it: it is renewed for what is taken from now on
        self._revision, self._lease = revision, renewed(self._timing, asked_s=asked_s)
        self._joined_s = min(self._joined_s, self._monotonic_s())

    async def _standing(self, *, first: bool) -> int:
        """The revision of what stands under our name; at the start that may be left by the run before."""
        kept = await self._workers.get(key_of(self.name))
        if kept is None:
            await self._drop(list(self._held))
            return 0
        if not first and msgspec.json.decode(kept.value, type=Presence).run != self._presence.run:
            raise RelayError(
                f"another worker is called {self.name}", hint="give each worker a state folder of its own, not a copy"
            )
        return kept.revision

    async def _take(self) -> None:
        now_s = self._monotonic_s()
        wanted = [
            item for item in (self._mine | self._of_unlike) - self._held.keys() if not self._faults.waits(item, now_s)
        ]
        if not wanted or not self._ownership.is_known:
            return
        owners = {item: self._ownership.of(item) for item in sorted(wanted)}
        live = await self._alive(owner.worker for owner, _ in owners.values() if owner is not None)
        free = {item: revision for item, (owner, revision) in owners.items() if may_take(owner, self.name, live=live)}
        since_s = {item: self._free_since_s.get(item, now_s) for item in free.keys() & self._of_unlike}
        self._free_since_s = since_s
        patience_s = FREE_FOR_LEASES * self._timing.lease_s
        takes = [item for item in free if now_s - since_s.get(item, float("-inf")) >= patience_s]
        for at in range(0, len(takes), AT_ONCE):
            if self._in_time():
                await asyncio.gather(*(self._take_one(item, free[item]) for item in takes[at : at + AT_ONCE]))

    async def _alive(self, owners: Iterable[str]) -> set[str]:
        """Who must not be taken from. Of one that seems gone the leader is asked: another server's clock may differ."""
        live = {one.worker for one in self._live}
        for gone in {*owners} - live - {""}:
            if await self._workers.get(key_of(gone)) is not None:
                live.add(gone)
        return live

    async def _take_one(self, item: str, known: int) -> None:
        value = msgspec.json.encode(Owner(item, self.name))
        try:
            revision = await self._owners.put(key_of(item), value, revision=known)
        except JournalError:
            return  # another one was quicker, or nobody knows; the next round looks again
        self._to_give_back.pop(item, None)
        if not self._in_time():
            return
        holding = Holding(item, by=f"{self.name}/{self._presence.run}/{revision}", holds=self._in_time)
        self._held[item] = _Held(holding, revision, asyncio.create_task(self._serve(holding)))
        self._log.info("worker.took", item=item)

    async def _serve(self, holding: Holding) -> None:
        """Whatever it ends with, the others go on."""
        item = holding.item
        try:
            await self._works[item](holding)
        except LeaseLost as lost:
            self._log.warning("worker.lost", item=item, reason=lost.summary)
        except JournalUnreachable as error:
            self._log.warning("worker.cut_off", item=item, reason=error.summary)
            self._faults.put_off(item, self._monotonic_s())
        except TocsinError as error:
            await self._failed(holding, error.summary)
        except Exception as error:  # a defect of ours
            await self._failed(holding, f"{type(error).__name__}: {error}", exc_info=True)
        finally:
            if not holding.leaving.is_set():
                self._let_go(holding)

    async def _failed(self, holding: Holding, reason: str, *, exc_info: bool = False) -> None:
        item = holding.item
        to_others = self._faults.failed(item, self._monotonic_s(), reason)
        facts = {"exc_info": True} if exc_info else {}
        self._log.warning(
            "worker.failed", item=item, reason=reason, again_in_s=AGAIN_AFTER_S, others_shall_try=to_others, **facts
        )
        if to_others and not holding.leaving.is_set():
            await self._give_back({item: self._held[item].revision})

    def _leave_soon(self, items: set[str]) -> None:
        items = {item for item in items if not self._held[item].holding.leaving.is_set()}
        if items:
            task = asyncio.create_task(self._leave(sorted(items)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _leave(self, items: list[str]) -> None:
        """End what is under way, then say that another one may have it."""
        held = [self._held[item] for item in items if item in self._held]
        for one in held:
            one.holding.leaving.set()
        if held:
            await asyncio.wait([one.task for one in held], timeout=LEAVE_WITHIN_S)
        await self._drop(items)
        await self._give_back({one.holding.item: one.revision for one in held})

    async def _give_back(self, revisions: dict[str, int]) -> None:
        """Say that others may have these. What the cluster does not take now is said again at the next look."""
        self._to_give_back |= revisions
        async with self._giving_back:  # what one says the next one need not
            waiting = list(self._to_give_back.items())
            for at in range(0, len(waiting), AT_ONCE):
                some = [self._gave_back(item, revision) for item, revision in waiting[at : at + AT_ONCE]]
                if not all(await asyncio.gather(*some)):
                    return  # it cannot be reached; when our presence has ended, all is free

    async def _gave_back(self, item: str, revision: int) -> bool:
        value = msgspec.json.encode(Owner(item, ""))
        try:
            await self._owners.put(key_of(item), value, revision=revision)
            self._log.info("worker.left", item=item)
        except JournalConflict:
            self._log.info("worker.left", item=item, reason="it was given back, or taken, before")
        except JournalError as error:
            self._log.warning("worker.not_given_back", item=item, reason=error.summary)
            return False
        self._to_give_back.pop(item, None)
        return True

    async def _absent(self) -> None:
        try:
            # Asked, not remembered: a renewal may have been on its way when it was ended.
            await self._workers.delete(key_of(self.name), revision=await self._standing(first=False))
        except TocsinError as error:
            self._log.warning("worker.not_signed_off", reason=error.summary)

    async def _drop(self, items: list[str]) -> None:
        """End it at once, whatever is under way. Until it has ended it is not taken again: its folder is in use."""
        dropped = [self._held[item] for item in items if item in self._held]
        for one in dropped:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in dropped), return_exceptions=True)
        for one in dropped:
            self._let_go(one.holding)

    def _let_go(self, holding: Holding) -> None:
        held = self._held.get(holding.item)
        if held is not None and held.holding is holding:  # and not what was taken anew since
            del self._held[holding.item]

    async def _watch(self) -> None:
        """End everything when the lease does, also while a renewal waits for the cluster."""
        while True:
            left_s = self._lease.ends_s - self._monotonic_s()
            if left_s <= 0 and self._held:
                self._log.warning("worker.lease_ended", items=len(self._held))
                await self._drop(list(self._held))
            await asyncio.sleep(left_s if left_s > 0 else self._timing.round_s / 2)

    def _in_time(self) -> bool:
        return self._lease.holds(self._monotonic_s())


async def _wait(event: asyncio.Event, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        return
