"""What `tocsin relay` does with its sources, against a small honest org; time is virtual."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from structlog.testing import capture_logs

from support.fake_org import FakeOrg, relay
from support.virtual_time import T0, run_virtually
from tocsin.cli.guards import guards_of
from tocsin.relay.feeding import SAYS_SKIPPED_AFTER_S, SOURCE_AGAIN_AFTER_S, feed, until_one_ends
from tocsin.signals import Batch, RiskLevel, Signal, Skipped, SkipReason, ip_key
from tocsin.sources import SourceConfig


def test_what_a_source_never_speaks_of_is_read_again_when_its_files_change(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("1.2.3.0/24\n")
    sources = {
        "log": SourceConfig(path="a", own_networks=("203.0.113.0/24",), allow_lists=(str(allowed),)),
        "list": SourceConfig(path="b"),
    }
    guards = guards_of(sources)
    never = guards.never["log"]
    held = [never(ip_key(ip)) for ip in ("203.0.113.9", "1.2.3.4", "2002:102:304::1", "8.8.8.8", "10.0.0.1")]
    assert held == [True, True, True, False, False], "what a target is told of is the target's to say"
    assert [*guards.never] == ["log"]
    assert guards_of(sources, guards) is guards
    allowed.write_text("8.8.8.8\n1.2.3.4\n")
    later = guards_of(sources, guards)
    assert later.never["log"](ip_key("8.8.8.8"))
    assert later.terms != guards.terms


class _Failing:
    """Breaks off with what nobody foresaw, after one batch; goes on from its position the second time."""

    name = "failing"

    def __init__(self) -> None:
        self.read_from: list[bytes] = []

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        self.read_from.append(position)
        if not position:
            signal = Signal("8.8.8.8", RiskLevel.HIGH, T0, T0 + timedelta(hours=1), "seen", self.name)
            yield Batch(source=self.name, claims=[signal], position=b"1")
            raise OverflowError("date value out of range")
        await asyncio.Event().wait()


def test_a_source_that_fails_in_an_unforeseen_way_is_told_and_read_again(tmp_path: Path) -> None:
    async def go() -> tuple[str, list[bytes], dict[str, str], str]:
        org, source = FakeOrg(), _Failing()
        async with relay(tmp_path, org, patient=True) as opened:
            feeding = asyncio.ensure_future(feed(opened, source))
            await asyncio.sleep(SOURCE_AGAIN_AFTER_S - 1)
            stopped = (await opened.status()).sources[0].stopped
            await asyncio.sleep(2)
            again = (await opened.status()).sources[0].stopped
            feeding.cancel()
            return stopped, source.read_from, org.picture(org.clock()), again

    stopped, read_from, picture, again = run_virtually(go)
    assert "OverflowError: date value out of range" in stopped
    assert (read_from, again) == ([b"", b"1"], "")
    assert picture == {"8.8.8.8": "HIGH"}


class _Garbled:
    """A list with two broken records, then two batches of a log with one each."""

    name = "garbled"

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        def broken(*lines: int) -> list[Skipped]:
            skipped = [Skipped(SkipReason.NOT_A_RECORD, line, "no JSON", "?") for line in lines]
            return [*skipped, Skipped(SkipReason.NO_CLAIM, 9, "nothing said", "?")]

        yield Batch(source=self.name, claims=[], skipped=broken(2))
        yield Batch(source=self.name, claims=[], skipped=broken(5), ends_list=True)
        yield Batch(source=self.name, claims=[], skipped=broken())
        yield Batch(source=self.name, claims=[], skipped=broken(7))
        yield Batch(source=self.name, claims=[], skipped=broken(8))
        await asyncio.sleep(SAYS_SKIPPED_AFTER_S + 1)
        yield Batch(source=self.name, claims=[], skipped=broken(3))
        raise OverflowError


def test_records_that_cannot_be_read_are_said_once_a_reading_and_now_and_then(tmp_path: Path) -> None:
    async def go() -> None:
        async with relay(tmp_path, FakeOrg(), patient=True) as opened:
            with suppress(TimeoutError):
                async with asyncio.timeout(SOURCE_AGAIN_AFTER_S + SAYS_SKIPPED_AFTER_S):
                    await feed(opened, _Garbled())

    with capture_logs() as logs:
        run_virtually(go)
    said = [(log["source"], log["broken"], log["first_line"]) for log in logs if log["event"] == "source.skipped"]
    assert said == [("garbled", 2, 2), ("garbled", 2, 7), ("garbled", 1, 3)]


def test_what_swallows_its_end_is_ended_again() -> None:
    async def swallows() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.timeout(60):
            await until_one_ends([swallows(), asyncio.sleep(1)])

    run_virtually(main)
