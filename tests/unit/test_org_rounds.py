"""Work that goes on for ever, and ends when it is told to."""

import asyncio

from tocsin.org.errors import OrgError
from tocsin.org.rounds import in_rounds


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
