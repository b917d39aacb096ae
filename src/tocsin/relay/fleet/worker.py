"""A worker of a fleet: says that it is there, takes what falls to it, and leaves what falls to others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import NamedTuple, Protocol

import msgspec

from tocsin.errors import TocsinError
from tocsin.journal import JournalConflict, JournalError, KeyValue
from tocsin.relay.errors import LeaseLost, RelayError
from tocsin.relay.fleet.assignment import share_of
from tocsin.relay.fleet.fenced import Holding
from tocsin.relay.fleet.lease import NO_LEASE, Timing, renewed
from tocsin.relay.fleet.membership import Owner, Presence, digest_of, key_of, may_take, owned, present

AGAIN_AFTER_S = 15.0
"""What could not be served is tried again after so long."""
LEAVE_WITHIN_S = 10.0
"""A request that is on its way when its target is to be left may take so long."""
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
        self._workers, self._owners = workers, owners
        self._timing, self._monotonic_s, self._log = timing, monotonic_s, log
        self._presence = Presence(name, token_hex(8), digest_of(works))
        self._revision: int | None = None
        self._joined_s = float("inf")
        self._lease = NO_LEASE
        self._peers: frozenset[str] = frozenset()
        self._mine: set[str] = set()
        self._held: dict[str, _Held] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._not_before_s: dict[str, float] = {}

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
        watch = asyncio.create_task(self._watch())
        try:
            while not stopped.is_set():
                await self._settle()
                await _wait(stopped, self._timing.round_s)
                if renewing.done():
                    renewing.result()
            await self._leave(list(self._held))
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._absent()
        finally:
            renewing.cancel()
            watch.cancel()
            await self._drop(list(self._held))
            await asyncio.gather(renewing, watch, *self._leaving, return_exceptions=True)

    async def _renew_for_ever(self) -> None:
        while True:
            asked_s = self._monotonic_s()
            try:
                await self._renew(asked_s)
                pause_s = self._timing.pause_s(asked_s=asked_s, now_s=self._monotonic_s())
            except JournalError as error:
                self._log.warning("worker.cut_off", reason=error.summary)
                pause_s = self._timing.round_s / 2
            await asyncio.sleep(pause_s)

    async def _settle(self) -> None:
        """Take what falls to us and is free, and leave what falls to others."""
        if self._monotonic_s() - self._joined_s < self._timing.round_s / 2:
            return  # others may start at this moment: what is taken now would have to move
        try:
            live = present(await self._workers.all())
            peers = frozenset(one.worker for one in live if one.serves == self._presence.serves)
            if peers != self._peers:
                self._peers, self._mine = peers, share_of(self.name, self._works, peers)
                self._log.info("worker.fleet", workers=len(live), share=len(self._mine), of=len(self._works))
            self._leave_soon(self._held.keys() - self._mine)
            await self._take(self._mine - self._held.keys(), live=frozenset(one.worker for one in live))
        except JournalError as error:
            self._log.warning("worker.cut_off", reason=error.summary)
        except msgspec.DecodeError as error:
            raise RelayError(
                f"a table of the fleet was written by another version: {error}", hint="run one version on all workers"
            ) from None

    async def _renew(self, asked_s: float) -> None:
        """Say that we are there. The lease counts from `asked_s`, which is before it was said."""
        key, value = key_of(self.name), msgspec.json.encode(self._presence)
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

    async def _take(self, items: set[str], *, live: frozenset[str]) -> None:
        now_s = self._monotonic_s()
        wanted = sorted(item for item in items if self._not_before_s.get(item, 0.0) <= now_s)
        if not wanted:
            return
        standing = owned(await self._owners.all())
        free = [
            (item, revision)
            for item in wanted
            for owner, revision in [standing.get(item, (None, 0))]
            if may_take(owner, worker=self.name, live=live)
        ]
        for at in range(0, len(free), AT_ONCE):
            if self._in_time():
                await asyncio.gather(*(self._take_one(item, known) for item, known in free[at : at + AT_ONCE]))

    async def _take_one(self, item: str, known: int) -> None:
        value = msgspec.json.encode(Owner(item, self.name))
        try:
            revision = await self._owners.put(key_of(item), value, revision=known)
        except JournalConflict:
            return  # another one was quicker; the next round looks again
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
        except TocsinError as error:
            self._log.warning("worker.failed", item=item, reason=error.summary, again_in_s=AGAIN_AFTER_S)
            self._not_before_s[item] = self._monotonic_s() + AGAIN_AFTER_S
        except Exception as error:  # a defect of ours
            self._log.warning("worker.failed", item=item, reason=f"{type(error).__name__}: {error}", exc_info=True)
            self._not_before_s[item] = self._monotonic_s() + AGAIN_AFTER_S
        finally:
            if not holding.leaving.is_set():
                self._let_go(holding)

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
        for at in range(0, len(held), AT_ONCE):
            await asyncio.gather(*(self._give_back(one) for one in held[at : at + AT_ONCE]))

    async def _give_back(self, held: _Held) -> None:
        item = held.holding.item
        value = msgspec.json.encode(Owner(item, ""))
        try:
            await self._owners.put(key_of(item), value, revision=held.revision)
            self._log.info("worker.left", item=item)
        except JournalError as error:  # it is free all the same, once our presence has ended, or is another's already
            self._log.warning("worker.not_given_back", item=item, reason=error.summary)

    async def _absent(self) -> None:
        try:
            await self._workers.delete(key_of(self.name), revision=self._revision)
        except JournalError as error:
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
