"""The file under the outbox."""

import asyncio
import fcntl
from pathlib import Path

import pytest

from support.fake_org import FakeOrg, relay
from support.virtual_time import run_virtually
from tocsin.relay import Outbox, RelayError, is_running
from tocsin.relay.intake import Prepared
from tocsin.relay.quarantine import RECORDS_KEPT
from tocsin.relay.store import Store
from tocsin.signals import Skipped, SkipReason

T0_MS = 1_770_110_100_000
MAPPED = bytes(10) + b"\xff\xff"


def _fill(outbox: Outbox, count: int) -> None:
    rows = [(MAPPED + n.to_bytes(4, "big"), 3, T0_MS, T0_MS + 60_000, b"x" * 400) for n in range(count)]
    outbox.take_in([Prepared("list", rows)], now_ms=T0_MS)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    Outbox(tmp_path / "outbox").close()
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "outbox").iterdir())


def test_what_another_version_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "outbox")
    with store.writing() as txn:
        txn.put(b"schema", b"99", db=store.books)
    store.close()
    with pytest.raises(RelayError, match="schema 99"):
        Outbox(tmp_path / "outbox")


def test_a_path_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(RelayError, match="cannot be used"):
        Outbox(tmp_path / "outbox")


@pytest.mark.slow
def test_what_is_mostly_free_is_given_back_unless_someone_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = Outbox(path)
    _fill(outbox, 20_000)
    while outbox.wake(now_ms=T0_MS + 120_000, limit=5_000):
        assert outbox.sources()["list"].taken == 20_000
    outbox.close()
    full = (path / "data.mdb").stat().st_size
    with (path / "in-use").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        Store(path, compact_from_bytes=1).close()
        assert (path / "data.mdb").stat().st_size == full
    Store(path, compact_from_bytes=1).close()
    assert (path / "data.mdb").stat().st_size < full / 10
    again = Outbox(path)
    assert (again.sources()["list"].taken, len(again)) == (20_000, 0)
    again.close()


def test_quarantine_holds_so_many_records_of_one_kind_and_counts_the_rest(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    broken = [Skipped(SkipReason.NOT_A_RECORD, n, f"is no JSON: {n}", f"line {n}") for n in range(RECORDS_KEPT + 20)]
    outbox.take_in([Prepared("list", [], broken)], now_ms=T0_MS)
    outbox.take_in([Prepared("list", [], [Skipped(SkipReason.BAD_TIME, 1, "year 9999", "x")])], now_ms=T0_MS + 1)
    assert (outbox.quarantine.count(), outbox.sources()["list"].unkept) == (RECORDS_KEPT + 1, 20)
    assert len(outbox.quarantine.all()) == RECORDS_KEPT + 1
    for refusal in outbox.quarantine.all()[1:6]:
        outbox.quarantine.drop(refusal)
        outbox.quarantine.drop(refusal)
    outbox.take_in([Prepared("list", [], broken[-10:])], now_ms=T0_MS + 2)
    assert (outbox.quarantine.count(), outbox.sources()["list"].unkept) == (RECORDS_KEPT + 1, 25)
    outbox.close()


def test_who_asks_whether_a_relay_runs_stops_none_from_starting(tmp_path: Path) -> None:
    async def start_while_asked() -> bool:
        async with relay(tmp_path, FakeOrg()):
            running = is_running(tmp_path)
        with (tmp_path / "relay.lock").open("rb") as asking:
            fcntl.flock(asking, fcntl.LOCK_SH)
            asyncio.get_running_loop().call_later(0.5, asking.close)
            async with relay(tmp_path, FakeOrg()):
                return running

    assert not is_running(tmp_path)
    assert run_virtually(start_while_asked)
    assert not is_running(tmp_path)


def test_a_state_folder_that_cannot_be_read_is_no_running_relay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RelayError, match="Not a directory"):
        is_running(tmp_path / "file")


def test_what_lists_no_longer_hold_is_let_go_though_they_come_faster_than_a_walk_takes(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    rows = [(MAPPED + n.to_bytes(4, "big"), 3, T0_MS, T0_MS + 60_000, b"") for n in range(30)]
    outbox.take_in([Prepared("other", rows[:20]), Prepared("list", rows[20:], ends_list=True)], now_ms=T0_MS)
    assert len(outbox) == 30
    for _ in range(8):
        outbox.take_in([Prepared("list", [], ends_list=True)], now_ms=T0_MS)
        outbox.let_go_step(now_ms=T0_MS, limit=5)
    assert len(outbox) == 20
    outbox.close()


def test_what_a_walk_had_passed_when_the_next_list_ended_is_let_go_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    _fill(outbox, 30)
    outbox.take_in([Prepared("list", [], ends_list=True)], now_ms=T0_MS)
    _fill(outbox, 30)  # the second list still holds them; the third does not
    outbox.take_in([Prepared("list", [], ends_list=True)], now_ms=T0_MS)
    outbox.let_go_step(now_ms=T0_MS, limit=5)
    assert len(outbox) == 30
    outbox.take_in([Prepared("list", [], ends_list=True)], now_ms=T0_MS)
    while outbox.let_go_step(now_ms=T0_MS, limit=5):
        assert outbox.sources()["list"].number == 1
    assert len(outbox) == 0
    outbox.close()
