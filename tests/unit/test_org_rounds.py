"""Work that goes on for ever, and ends when it is told to."""

import asyncio
from collections.abc import Coroutine

from tocsin.org.errors import OrgError
from tocsin.org.rounds import in_rounds, of_one_org


async def fails_when_cancelled() -> None:
    """As a group of tasks does of which one has met an error of its own meanwhile."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_fails())


async def _fails() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        raise OrgError("the journal is closed")


async def told_alone() -> None:
    """The same, without a group."""
    try:
        await fails_when_cancelled()
    except* OrgError:
        raise OrgError("the journal is closed") from None


async def test_the_work_of_one_org_ends_though_it_fails_while_it_is_cancelled() -> None:
    await ends(of_one_org(fails_when_cancelled, org="acme", rest_s=0.0, failed="work.failed"))


async def test_rounds_end_though_one_fails_while_it_is_cancelled() -> None:
    await ends(in_rounds(told_alone, rest_s=0.0, failed="work.failed"))


async def ends(work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(0.01)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()
