"""A bouncer that only follows the stream holds at each pull just what asking for everything would tell it."""

import asyncio
import tempfile
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.asgi import NOW, Clock
from tocsin.journal import Journal
from tocsin.org.assertions import GRACE_MS
from tocsin.org.crowdsec.changes import Scribe
from tocsin.org.crowdsec.feed import Pull
from tocsin.org.crowdsec.filters import Filter, read_filter
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.org import Org
from tocsin.org.policy import Action, Policy
from tocsin.org.records import local_deed
from tocsin.org.retention import Retention
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, RiskProvider, RiskProviderAction, from_ms, ip_text

pytestmark = pytest.mark.slow

IPS = ["203.0.113.1", "203.0.113.2", "2001:db8::3"]
DEED = local_deed(0)
ACTIONS = st.sampled_from(RiskProviderAction)
SAY = st.tuples(
    st.just("say"),
    st.integers(0, 1),
    st.lists(st.tuples(st.sampled_from(IPS), st.sampled_from(RiskLevel)), min_size=1, max_size=4),
    st.integers(-50, 10),  # observed, seconds from now
    st.sampled_from([-10, 1, 5, 60, 200]),  # expires
)
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.001, 1.0, 5.0, 70.0, 300.0]))
PULL, SWEEP = st.tuples(st.just("pull")), st.tuples(st.just("sweep"))
ADMIN = st.one_of(
    st.tuples(st.just("provider"), st.integers(0, 1), ACTIONS),
    st.tuples(st.just("delete"), st.integers(0, 1)),
    st.tuples(st.just("policy"), st.sampled_from(Action), st.sampled_from([[], ["203.0.113.2"]])),
)
CARRY = st.tuples(st.just("carry"))
# Mostly not ADMIN: after it a bouncer is told everything.
STEPS = st.lists(st.one_of(*[SAY] * 6, *[WAIT] * 3, *[PULL] * 3, *[SWEEP] * 2, CARRY, ADMIN), max_size=25)
# What was told, and is taken back or ends or counts no more, and is swept, all between two pulls.
BETWEEN_PULLS = st.tuples(
    st.lists(SAY, min_size=1, max_size=2),
    PULL,
    st.lists(st.one_of(SAY, WAIT, CARRY), max_size=3),
    st.lists(ADMIN, min_size=1, max_size=2),
    SWEEP,
    PULL,
).map(lambda parts: [step for part in parts for step in (part if isinstance(part, list) else [part])])
CHANGES = st.lists(BETWEEN_PULLS, min_size=1, max_size=3).map(lambda rounds: list(chain.from_iterable(rounds)))


class KeepingJournal:
    """For a retention that carries at once what it may forget only after a day, when all bouncers have come by."""

    def __init__(self, journal: Journal) -> None:
        self.read, self.get, self.last, self.append = journal.read, journal.get, journal.last, journal.append

    async def forget(self, _branch: str, _before: int) -> int:
        return 0


class FollowingBouncer:
    """Keeps a type for each address, and apart from that a set of bans as a firewall does, that knows nothing else."""

    def __init__(self, wanted: Filter) -> None:
        self.types: dict[str, str] = {}
        self.bans: set[str] = set()
        self._pull: Pull | None = None
        self._wanted = wanted

    async def pull(self, org: Org) -> None:
        scribe = Scribe(org, self._wanted)
        deleted, new = [], []
        if self._pull is None:
            new = [one async for one in scribe.all()]
        else:
            async for change in scribe.since(self._pull):
                deleted += change.deleted
                new += [] if change.new is None else [change.new]
        assert len({one.key for one in new}) == len(new), "told twice in one answer"
        for one in deleted:
            self.types.pop(ip_text(one.key), None)
            if one.type == "ban":
                self.bans.discard(ip_text(one.key))
        for one in new:
            self.types[ip_text(one.key)] = one.type
            if one.type == "ban":
                self.bans.add(ip_text(one.key))
        self._pull = scribe.until

    async def agrees(self, org: Org) -> None:
        asked = {ip_text(one.key): one.type async for one in Scribe(org, self._wanted).all()}
        assert self.types == asked
        assert self.bans == {ip for ip, kind in asked.items() if kind == "ban"}


async def play(steps: list[tuple[object, ...]], folder: Path) -> None:
    clock = Clock()
    async with open_org(DataFolder.open(folder / "data"), clock=clock) as org:
        for name in ("a", "b"):
            wanted = RiskProvider(name=name, client_id="c", action=RiskProviderAction.ENFORCE_AND_LOG)
            await org.providers.create(wanted, deed=DEED)
        bouncers = [FollowingBouncer(Filter()), FollowingBouncer(read_filter(b"type=ban", stream=True))]
        for step in [("pull",), *steps, ("pull",)]:
            await take(step, org, clock, bouncers)
    assert clock.now >= NOW


async def take(step: tuple[object, ...], org: Org, clock: Clock, bouncers: list[FollowingBouncer]) -> None:
    match step:
        case ("say", int(number), list(subjects), int(observed_s), int(expires_s)):
            at_ms = org.now_ms
            event = RiskEvent(
                subjects=[RiskEventSubject(ip=ip, risk_level=level) for ip, level in subjects],
                timestamp=from_ms(at_ms + observed_s * 1000),
                expires_at=from_ms(at_ms + expires_s * 1000),
            )
            await org.accept([event], org.providers.all()[number], deed=local_deed(at_ms))
            await org.projector.catch_up()
        case ("wait", float(seconds)):
            clock.now += seconds
        case ("sweep",):
            org.index.sweep(b"", until_ms=org.now_ms - GRACE_MS, providers=org.providers_with_words(), limit=100)
        case ("carry",):
            live, kept = org.providers_with_words, KeepingJournal(org.journal)
            retention = Retention(kept, org.projector, org.index, keep_s=0, live=live, clock=clock)  # type: ignore[arg-type]
            await retention.round(pause_s=0)
            await org.projector.catch_up()
        case ("delete", int(number)):
            gone = org.providers.all()[number]
            await org.providers.delete(gone.id, deed=local_deed(org.now_ms))
            wanted = RiskProvider(name=gone.name, client_id="c", action=RiskProviderAction.ENFORCE_AND_LOG)
            await org.providers.create(wanted, deed=local_deed(org.now_ms))
            await org.projector.catch_up()
        case ("provider", int(number), RiskProviderAction() as action):
            provider = org.providers.all()[number]
            wanted = RiskProvider(name=provider.name, client_id="c", action=action)
            await org.providers.replace(provider.id, wanted, deed=DEED)
            await org.projector.catch_up()
        case ("policy", Action() as medium, list(allowed)):
            await org.policy.replace(Policy(medium=medium, allowed=allowed), deed=DEED)
            await org.projector.catch_up()
        case _:
            for bouncer in bouncers:
                await bouncer.pull(org)
                await bouncer.agrees(org)


@settings(max_examples=80)
@given(st.one_of(STEPS, CHANGES))
def test_who_follows_holds_what_is_held(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(steps, Path(folder)))
