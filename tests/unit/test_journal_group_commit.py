"""Group commit: who shares a transaction, and what becomes of those who wait when a write fails."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tocsin.journal import MAX_ENTRY_BYTES, JournalError
from tocsin.journal.group_commit import (
    BATCH_APPENDS,
    BATCH_BYTES,
    Append,
    Failed,
    GroupCommit,
    Outcome,
    Stale,
    Written,
)


class SlowDisk:
    """Remembers the batches it was given; the first one takes until `let_go`."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Append]] = []
        self.started, self.go = threading.Event(), threading.Event()
        self.failing: Exception | None = None

    def write(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        self.batches.append(batch)
        self.started.set()
        self.go.wait()
        if self.failing:
            raise self.failing
        return [Stale(0) if append.expect_last else Written(len(self.batches)) for append in batch]


def an_append(body: bytes = b"", expect_last: int | None = None) -> Append:
    return Append("a", body, expect_last)


async def begin(disk: SlowDisk, commits: GroupCommit) -> asyncio.Future[Outcome]:
    """One append that the disk is busy with."""
    outcome = commits.submit(an_append())
    await asyncio.to_thread(disk.started.wait)
    return outcome


async def test_what_queues_up_during_a_write_shares_the_next() -> None:
    disk, rings = SlowDisk(), []
    commits = GroupCommit(disk.write, on_written=lambda: rings.append(1))
    outcomes = [await begin(disk, commits), *(commits.submit(an_append()) for _ in range(199))]
    disk.go.set()
    assert await asyncio.gather(*outcomes) == [Written(1)] + [Written(2)] * 199
    assert len(rings) == 2
    await asyncio.to_thread(commits.close)


async def test_a_batch_is_bounded_in_number() -> None:
    disk = SlowDisk()
    commits = GroupCommit(disk.write, on_written=lambda: None)
    outcomes = [await begin(disk, commits), *(commits.submit(an_append()) for _ in range(BATCH_APPENDS + 1))]
    disk.go.set()
    await asyncio.gather(*outcomes)
    assert [len(batch) for batch in disk.batches] == [1, BATCH_APPENDS, 1]
    await asyncio.to_thread(commits.close)


async def test_a_batch_is_bounded_in_bytes() -> None:
    disk, body = SlowDisk(), bytes(MAX_ENTRY_BYTES)
    commits = GroupCommit(disk.write, on_written=lambda: None)
    fit = -(-BATCH_BYTES // MAX_ENTRY_BYTES)
    outcomes = [await begin(disk, commits), *(commits.submit(an_append(body)) for _ in range(fit + 1))]
    disk.go.set()
    await asyncio.gather(*outcomes)
    assert [len(batch) for batch in disk.batches] == [1, fit, 1]
    await asyncio.to_thread(commits.close)


async def test_followers_are_not_woken_when_nothing_was_written() -> None:
    disk, rings = SlowDisk(), []
    disk.go.set()
    commits = GroupCommit(disk.write, on_written=lambda: rings.append(1))
    assert await commits.submit(an_append(expect_last=9)) == Stale(0)
    disk.failing = OSError("broken")
    assert isinstance(await commits.submit(an_append()), Failed)
    assert rings == []
    await asyncio.to_thread(commits.close)


async def test_a_write_that_fails_fails_all_in_it_and_the_next_goes_on() -> None:
    disk = SlowDisk()
    disk.go.set()
    commits = GroupCommit(disk.write, on_written=lambda: None)
    disk.failing = RuntimeError("not only errors of the disk are told")
    outcomes = await asyncio.gather(*(commits.submit(an_append()) for _ in range(5)))
    assert outcomes == [Failed(disk.failing)] * 5
    disk.failing = None
    assert isinstance(await commits.submit(an_append()), Written)
    await asyncio.to_thread(commits.close)


async def test_one_who_is_cancelled_is_passed_over() -> None:
    disk = SlowDisk()
    commits = GroupCommit(disk.write, on_written=lambda: None)
    first, second = await begin(disk, commits), commits.submit(an_append())
    first.cancel()
    disk.go.set()
    assert await second == Written(2)
    await asyncio.to_thread(commits.close)


async def test_close_writes_what_is_queued_and_takes_no_more() -> None:
    disk = SlowDisk()
    commits = GroupCommit(disk.write, on_written=lambda: None)
    outcomes = [await begin(disk, commits), commits.submit(an_append())]
    closing = asyncio.create_task(asyncio.to_thread(commits.close))
    await asyncio.sleep(0.01)
    with pytest.raises(JournalError, match="closed"):
        commits.submit(an_append())
    disk.go.set()
    await closing
    assert await asyncio.gather(*outcomes) == [Written(1), Written(2)]


async def test_work_between_batches_waits_its_turn_and_says_what_it_raised() -> None:
    disk = SlowDisk()
    commits = GroupCommit(disk.write, on_written=lambda: None)
    first = await begin(disk, commits)
    before = commits.submit(an_append())
    seen = commits.between(lambda: len(disk.batches))
    failing = commits.between(lambda: 1 // 0)
    after = commits.submit(an_append())
    cancelled = commits.between(lambda: 5)
    cancelled.cancel()
    disk.go.set()
    assert [await first, await before, await seen, await after] == [Written(1), Written(2), 2, Written(3)]
    with pytest.raises(ZeroDivisionError):
        await failing
    await asyncio.to_thread(commits.close)
    with pytest.raises(JournalError, match="closed"):
        commits.between(lambda: None)
