"""Work that goes on for ever, and ends when it is told to."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tocsin.org.errors import OrgError
from tocsin.org.rounds import in_background, in_rounds


async def fails_when_cancelled() -> None:
    """As a group of tasks does of which one has met an error of its own meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_fails())


async def _fails() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        raise OrgError("the journal is closed")


async def test_rounds_end_though_one_fails_while_it_is_cancelled() -> None:
    task = asyncio.create_task(in_rounds(fails_when_cancelled, rest_s=0.0, failed="work.failed"))
    await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()


async def test_there_is_another_round_after_one_whose_tasks_fail() -> None:
    rounds = 0

    async def fails() -> None:
        nonlocal rounds
        rounds += 1
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_fail_soon())
            tasks.create_task(asyncio.sleep(60))

    task = asyncio.create_task(in_rounds(fails, rest_s=0.0, failed="work.failed"))
    async with asyncio.timeout(5):
        while rounds < 3:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])


async def _fail_soon() -> None:
    await asyncio.sleep(0)
    raise OrgError("the disk is full")


async def test_what_fails_in_the_background_is_logged_at_once() -> None:
    async def fail() -> None:
        raise ZeroDivisionError("of upkeep")

    async def serve() -> None:
        async with in_background(fail()):
            await asyncio.sleep(0.01)
            assert [log["event"] for log in logs] == ["work.failed"]

    with capture_logs() as logs, pytest.raises(ZeroDivisionError):
        await serve()
    assert "of upkeep" in logs[0]["exception"]


async def test_who_is_cancelled_while_it_ends_what_it_has_in_the_background_is_cancelled() -> None:
    leaving = asyncio.Event()

    async def reluctant() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            leaving.set()
            await asyncio.sleep(0.01)

    async def owner() -> None:
        async with in_background(reluctant()):
            await asyncio.sleep(0)
        await asyncio.sleep(60)

    task = asyncio.create_task(owner())
    await leaving.wait()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
