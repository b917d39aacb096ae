"""The relay as a program that embeds it sees it, against a small honest org; time is virtual."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx2
import pytest

from support.fake_org import NAME, FakeOrg, address, relay, signals
from support.virtual_time import T0, Clock, run_virtually
from tocsin.relay import Guards, RelayError
from tocsin.signals import Batch, InvalidSignals, Retraction, RiskLevel, Signal, Skipped, SkipReason, ip_key

HOUR = timedelta(hours=1)


def _signal(ip: str, level: RiskLevel = RiskLevel.HIGH, *, source: str = "a", life: timedelta = HOUR) -> Signal:
    return Signal(ip, level, T0, T0 + life, "seen", source)


async def _told(folder: Path, org: FakeOrg, found: list[Signal], **settings: object) -> dict[str, str]:
    async with relay(folder, org, **settings) as opened:  # type: ignore[arg-type]
        await opened.put(found)
        await opened.drained()
    return dict(org.taken)


def test_what_is_put_is_there_when_it_returns_whatever_happens_then(tmp_path: Path) -> None:
    async def put_and_die() -> None:
        org = FakeOrg(latency_s=3600)
        async with relay(tmp_path, org) as opened:
            await asyncio.gather(*(opened.put([_signal(address(number))]) for number in range(50)))
        assert org.taken == []

    run_virtually(put_and_die)
    assert len(run_virtually(lambda: _told(tmp_path, FakeOrg(), []))) == 50


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (_signal("999.1.1.1"), "999.1.1.1"),
        (Signal("8.8.8.8", RiskLevel.LOW, T0, T0 + HOUR, "who@where"), "who@where"),
        (Signal("8.8.8.8", RiskLevel.LOW, T0.replace(tzinfo=None), T0 + HOUR), "offset-naive"),
        (Signal("8.8.8.8", "SEVERE", T0, T0 + HOUR), "SEVERE"),  # type: ignore[arg-type]
        (_signal("8.8.8.8", source="ü" * 201), "has 402 bytes"),
    ],
)
def test_a_signal_that_no_org_could_take_is_refused_at_once_with_all_that_came_with_it(
    tmp_path: Path, bad: Signal, why: str
) -> None:
    async def put() -> None:
        async with relay(tmp_path, FakeOrg()) as opened:
            with pytest.raises(InvalidSignals, match=why):
                await opened.put([_signal("8.8.4.4"), bad])
            assert not any(waiting.count for waiting in (await opened.backlog(NAME)).values())

    run_virtually(put)


def test_a_folder_is_for_one_relay(tmp_path: Path) -> None:
    async def twice() -> None:
        async with relay(tmp_path, FakeOrg()):
            with pytest.raises(RelayError, match="another relay uses"):
                await relay(tmp_path, FakeOrg()).__aenter__()

    run_virtually(twice)


def test_an_interrupted_delivery_goes_on_and_sends_nothing_twice(tmp_path: Path) -> None:
    async def interrupted() -> FakeOrg:
        org = FakeOrg(limit=2)
        async with relay(tmp_path, org) as opened:
            await opened.put(signals(4500, now=T0))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await opened.drained()
        return org

    first = run_virtually(interrupted)
    second = FakeOrg()
    run_virtually(lambda: _told(tmp_path, second, signals(4500, now=T0)))
    assert (len(first.taken), len(second.taken)) == (2000, 2500)
    assert not {ip for ip, _ in first.taken} & {ip for ip, _ in second.taken}


@pytest.mark.slow
def test_what_is_claimed_on_and_on_is_held_without_a_gap_and_told_only_when_it_runs_out(tmp_path: Path) -> None:
    async def day() -> FakeOrg:
        org = FakeOrg()
        async with relay(tmp_path, org, patient=True) as opened:
            for _ in range(24 * 12):
                now = org.clock()
                await opened.put([Signal("8.8.8.8", RiskLevel.HIGH, now, now + 4 * HOUR, "seen", "a")])
                await asyncio.sleep(300)
                assert org.picture(org.clock()) == {"8.8.8.8": "HIGH"}
        return org

    # It holds for 4 hours, and is refreshed an hour before: every 3 hours.
    assert len(run_virtually(day).statuses) == 8


def test_a_level_follows_its_sources_up_and_down(tmp_path: Path) -> None:
    async def follow() -> list[str]:
        org, seen = FakeOrg(), []
        async with relay(tmp_path, org, patient=True) as opened:
            for step in (
                [_signal("8.8.8.8", RiskLevel.LOW, source="a")],
                [_signal("8.8.8.8", RiskLevel.HIGH, source="b")],
                [Retraction("8.8.8.8", T0 + timedelta(seconds=1), "b")],
                [Retraction("8.8.8.8", T0 + timedelta(seconds=1), "a")],
                [_signal("8.8.8.8", RiskLevel.HIGH, source="a")],  # older than what took it back
            ):
                await opened.put(step)
                await asyncio.sleep(20)
                seen.append(org.picture(org.clock()).get("8.8.8.8", "nothing"))
        return seen

    assert run_virtually(follow) == ["LOW", "HIGH", "LOW", "nothing", "nothing"]


def test_the_end_of_a_list_lets_go_what_it_no_longer_holds(tmp_path: Path) -> None:
    async def read_twice() -> tuple[dict[str, str], bytes]:
        org = FakeOrg()
        async with relay(tmp_path, org, patient=True) as opened:
            await opened.put([_signal("9.9.9.9", source="other")])
            await opened.begin_reading("list")
            whole = [_signal(address(n), source="list") for n in range(3000)]
            await opened.put(Batch(source="list", claims=[*whole], position=b"1", ends_list=True))
            await asyncio.sleep(60)
            fewer = [_signal(address(n), source="list") for n in range(10)]
            await opened.put(Batch(source="list", claims=[*fewer[:5]]), Batch(source="list", claims=[*fewer[5:]]))
            await opened.put(Batch(source="list", claims=[], position=b"2", ends_list=True))
            await asyncio.sleep(60)
            return org.picture(org.clock()), (await opened.begin_reading("list")).position

    picture, position = run_virtually(read_twice)
    assert set(picture) == {"9.9.9.9", *(address(n) for n in range(10))}
    assert position == b"2"


def test_a_target_is_told_what_its_filters_let_through(tmp_path: Path) -> None:
    found = [
        _signal("8.8.8.8", RiskLevel.HIGH, source="a"),
        _signal("8.8.4.4", RiskLevel.LOW, source="a"),
        _signal("9.9.9.9", RiskLevel.HIGH, source="b"),
        _signal("1.1.1.7", RiskLevel.HIGH, source="a"),
        _signal("10.0.0.1", RiskLevel.HIGH, source="a"),
    ]
    settings = {"minimum_level": RiskLevel.MEDIUM, "sources": ["a"], "never_send": ["1.1.1.0/24"]}
    strict = run_virtually(lambda: _told(tmp_path / "1", FakeOrg(), found, allow_non_global=False, **settings))
    assert strict == {"8.8.8.8": "HIGH"}
    assert len(run_virtually(lambda: _told(tmp_path / "2", FakeOrg(), found))) == 5


def test_a_target_or_a_filter_that_is_new_sees_what_was_taken_in_before(tmp_path: Path) -> None:
    async def run(org: FakeOrg, found: list[Signal], **settings: object) -> dict[str, str]:
        async with relay(tmp_path, org, **settings) as opened:  # type: ignore[arg-type]
            await opened.put(found)
            await opened.drained()
            await asyncio.sleep(10)
        return org.picture(org.clock())

    org, second = FakeOrg(), FakeOrg()
    found = [_signal("8.8.8.8"), _signal("9.9.9.9", RiskLevel.LOW)]
    assert run_virtually(lambda: run(org, found)) == {"8.8.8.8": "HIGH", "9.9.9.9": "LOW"}
    assert run_virtually(lambda: run(second, [], names=(NAME, "new"))) == {"8.8.8.8": "HIGH", "9.9.9.9": "LOW"}
    assert run_virtually(lambda: run(org, [], never_send=["8.8.8.0/24"])) == {"9.9.9.9": "LOW"}


def test_what_a_source_shall_never_speak_of_is_let_go_and_what_another_says_stands(tmp_path: Path) -> None:
    network = ip_key("8.8.8.0")[:15]
    guards = Guards({"a": lambda key: key[:15] == network}, b"8.8.8.0/24")

    async def go() -> list[dict[str, str]]:
        org, pictures = FakeOrg(), []
        found = [_signal(ip, source=of) for ip, of in (("8.8.8.8", "a"), ("8.8.8.9", "a"), ("9.9.9.9", "a"))]
        async with relay(tmp_path, org) as opened:
            await opened.put([*found, _signal("8.8.8.9", RiskLevel.LOW, source="b")])
            for guarded in (Guards(), guards, guards, Guards()):
                await opened.guard(guarded)
                await opened.drained()
                await asyncio.sleep(10)
                pictures.append(org.picture(org.clock()))
        async with relay(tmp_path, org, guards=guards) as opened:  # as if the configuration had changed
            await opened.drained()
            await asyncio.sleep(10)
        return [*pictures, org.picture(org.clock())]

    all_of_them = {"8.8.8.8": "HIGH", "8.8.8.9": "HIGH", "9.9.9.9": "HIGH"}
    fewer = {"8.8.8.9": "LOW", "9.9.9.9": "HIGH"}
    assert run_virtually(go) == [all_of_them, fewer, fewer, all_of_them, fewer]


def test_no_telling_holds_longer_than_its_target_wants(tmp_path: Path) -> None:
    org = FakeOrg()
    run_virtually(lambda: _told(tmp_path, org, [_signal("8.8.8.8", life=48 * HOUR)], longest_life_s=600))
    (event,) = org.events
    assert event.expires_at == T0 + timedelta(seconds=600)


def test_each_target_has_a_budget_and_a_picture_of_its_own(tmp_path: Path) -> None:
    async def both() -> list[int]:
        org = FakeOrg()
        async with relay(tmp_path, org, names=("one", "two")) as opened:
            await opened.put(signals(1500, now=T0))
            await opened.drained()
            return [sender.tally.delivered for sender in opened.senders.values()]

    assert run_virtually(both) == [1500, 1500]


def test_something_dangerous_goes_before_a_backlog_and_a_paused_target_is_tried_again(tmp_path: Path) -> None:
    async def go() -> tuple[list[str], list[float]]:
        org = FakeOrg()
        org.faults = [httpx2.Response(403)]
        async with relay(tmp_path, org, patient=True) as opened:
            await opened.put([_signal(address(n), RiskLevel.LOW) for n in range(5000)])
            await asyncio.sleep(1)
            status = await opened.status()
            assert "403" in status.targets[0].paused
            await asyncio.sleep(304)
            await opened.put([_signal("8.8.8.8", RiskLevel.HIGH)])
            await asyncio.sleep(10)
            assert (await opened.status()).targets[0].paused == ""
        return [ip for ip, _ in org.taken], org.arrivals_s

    ips, arrivals_s = run_virtually(go)
    assert ips.index("8.8.8.8") < 4000
    assert arrivals_s[1] - arrivals_s[0] == pytest.approx(300, abs=2)


@pytest.mark.slow
def test_a_backlog_is_spread_so_that_something_dangerous_waits_one_slot_and_a_burst_waits_for_nothing(
    tmp_path: Path,
) -> None:
    async def go() -> tuple[list[float], float]:
        org, taken = FakeOrg(latency_s=0.1), []
        async with relay(tmp_path, org, patient=True) as opened:
            await opened.put([_signal(address(n), RiskLevel.LOW, source="backlog") for n in range(40_000)])
            for number in range(20):
                await asyncio.sleep(0.7)
                await opened.put([_signal(f"8.8.8.{number}")])
                taken.append((f"8.8.8.{number}", org.clock.passed_s))
            await asyncio.sleep(5)
            spread = list(org.arrivals_s)
            await opened.put([_signal(address(100_000 + n)) for n in range(3000)])
            await asyncio.sleep(1)
            burst = org.arrivals_s[len(spread) :]
        assert set(org.sizes) == {1000}
        assert len(burst) >= 3
        worst_s = max(_left_at(org, ip) - came_s for ip, came_s in taken)
        return [later - earlier for earlier, later in pairwise(spread)], worst_s

    gaps, worst = run_virtually(go)
    assert all(gap == pytest.approx(2.0, abs=0.05) for gap in gaps)
    assert worst <= 2.1


def _left_at(org: FakeOrg, ip: str) -> float:
    """When the request with `ip` came to the org, by the sizes of those before it."""
    index = [told for told, _ in org.taken].index(ip)
    return org.arrivals_s[index // 1000]


def test_a_record_that_cannot_be_read_lies_in_quarantine_once(tmp_path: Path) -> None:
    async def read() -> list[tuple[str, int, int]]:
        async with relay(tmp_path, FakeOrg()) as opened:
            broken = Skipped(SkipReason.NOT_A_RECORD, 7, "is not JSON", "nonsense")
            too_weak = Skipped(SkipReason.BELOW_BANDS, 8, "stands on one list", "8.8.8.8\t1")
            for _ in range(2):
                await opened.put(Batch(source="list", claims=[], skipped=[broken, too_weak]))
            status = await opened.status()
            assert status.sources[0].skipped == {"not_a_record": 2, "below_bands": 2}
            return [(one.reason, one.line, one.times) for one in await opened.quarantined()]

    assert run_virtually(read) == [("is not JSON", 7, 2)]


def test_what_was_refused_at_one_level_is_told_at_another_and_never_again_at_that_one(tmp_path: Path) -> None:
    async def go() -> tuple[list[int], dict[str, str], list[str]]:
        org, asked = FakeOrg(), []
        org.bad = {"8.8.8.8"}
        async with relay(tmp_path, org, patient=True) as opened:
            said = [(RiskLevel.LOW, "a"), (RiskLevel.LOW, "b"), (RiskLevel.HIGH, "b")]
            for second, (level, source) in enumerate(said):
                at = T0 + timedelta(seconds=second)
                await opened.put([Signal("8.8.8.8", level, at, at + HOUR, "seen", source)])
                await asyncio.sleep(10)
                asked.append(len(org.statuses))
            org.bad = set()
            await opened.put([Signal("8.8.8.8", RiskLevel.MEDIUM, T0 + timedelta(seconds=3), T0 + HOUR, "seen", "b")])
            await asyncio.sleep(10)
            return asked, org.picture(org.clock()), [one.level for one in await opened.quarantined()]

    assert run_virtually(go) == ([1, 1, 2], {"8.8.8.8": "MEDIUM"}, ["HIGH", "LOW"])


@pytest.mark.parametrize("fault", [None, 403, 429])
def test_a_clock_that_is_set_back_stops_nothing(tmp_path: Path, fault: int | None) -> None:
    async def go() -> tuple[int, float]:
        org, clock = FakeOrg(), Clock()
        async with relay(tmp_path, org, patient=True, clock=clock) as opened:
            org.faults = [] if fault is None else [httpx2.Response(fault)]
            await opened.put([_signal("8.8.8.8", life=48 * HOUR)])
            await asyncio.sleep(1)
            clock.skew = -12 * HOUR
            await opened.put([_signal("9.9.9.9", RiskLevel.LOW, life=48 * HOUR)])
            await asyncio.sleep(400)
            return len({ip for ip, _ in org.taken}), org.arrivals_s[-1]

    told, last_s = run_virtually(go)
    assert told == 2
    assert last_s < (302 if fault == 403 else 62)


def test_an_org_that_begins_to_refuse_everything_is_not_asked_about_each_signal(tmp_path: Path) -> None:
    async def go() -> tuple[int, str, int]:
        org = FakeOrg()
        async with relay(tmp_path, org, patient=True) as opened:
            await opened.put([_signal("8.8.8.8")])
            await asyncio.sleep(10)
        org.bad = {address(n) for n in range(1000)}
        async with relay(tmp_path, org, patient=True) as opened:
            await opened.put([_signal(address(n)) for n in range(1000)])
            await asyncio.sleep(290)
            status = (await opened.status()).targets[0]
            return len(org.statuses), status.paused, status.refused

    requests, paused, refused = run_virtually(go)
    assert "refuses every signal" in paused
    assert refused == 5
    assert requests < 20


def test_an_org_that_takes_one_now_and_then_is_asked_about_a_few_bad_ones_in_a_row(tmp_path: Path) -> None:
    async def go() -> tuple[int, str]:
        org = FakeOrg()
        org.bad = {address(n) for n in range(100, 112)}
        async with relay(tmp_path, org) as opened:
            await opened.put([_signal(address(n)) for n in range(1000)])
            await opened.drained()
            status = (await opened.status()).targets[0]
            return len(org.taken), status.paused

    assert run_virtually(go) == (988, "")


def test_the_window_is_known_after_a_restart(tmp_path: Path) -> None:
    async def go() -> list[int]:
        org = FakeOrg(limit=3)
        for number in range(2):
            async with relay(tmp_path, org) as opened:
                await opened.put([_signal(address(4000 * number + n)) for n in range(3000)])
                await opened.drained()
        return org.statuses

    assert run_virtually(go) == [202] * 6


def test_what_is_let_go_after_the_clock_was_set_back_ends_after_it_was_told(tmp_path: Path) -> None:
    async def go() -> FakeOrg:
        org, clock = FakeOrg(), Clock()
        async with relay(tmp_path, org, patient=True, clock=clock) as opened:
            await opened.put([_signal("8.8.8.8", life=48 * HOUR)])
            await asyncio.sleep(10)
            clock.skew = -12 * HOUR
            await opened.put([Retraction("8.8.8.8", T0 + timedelta(seconds=1), "a")])
            await asyncio.sleep(10)
        return org

    first, last = run_virtually(go).events
    assert last.timestamp is not None
    assert last.expires_at is not None
    assert last.expires_at - last.timestamp == timedelta(seconds=5)
    assert first.timestamp is not None
    assert last.timestamp <= T0 + timedelta(minutes=6) - 12 * HOUR


def test_what_waited_for_a_target_that_is_there_no_more_waits_no_longer(tmp_path: Path) -> None:
    async def run(*names: str, found: list[Signal]) -> dict[str, int]:
        org = FakeOrg()
        org.faults = [httpx2.Response(403), httpx2.Response(403)]
        async with relay(tmp_path, org, patient=True, names=names) as opened:
            await opened.put(found)
            await asyncio.sleep(5)
            return {target.name: target.waiting for target in (await opened.status()).targets}

    found = [_signal(address(n)) for n in range(3000)]
    assert run_virtually(lambda: run("old", "new", found=found)) == {"old": 3000, "new": 3000}
    assert run_virtually(lambda: run("new", found=[])) == {"old": 0, "new": 3000}
    assert run_virtually(lambda: run("old", "new", found=[])) == {"old": 3000, "new": 3000}
