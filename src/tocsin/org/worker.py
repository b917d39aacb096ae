"""The process beside a served org that keeps its projections up, sweeps, and trims.

It has a process of its own for the sake of the interpreter's lock. LMDB and SQLite let go of it at every call, and
beside an event loop that is always busy each call waits milliseconds to get it back: 4,000 IPs took 2.7 s, not 20 ms.

The two talk over pipes: the org sends the configuration in a line, for an argument may be too short for it, and then
a byte when there may be news in the journal; the worker a line with the seq it has applied all of. When the org's end
closes, however the org came to its end, the worker ends too, and so it does when any of its own tasks does. Should the
worker die, or not start, it is started again; meanwhile the org takes in and answers, from an index that stands still.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import msgspec
import structlog

from tocsin.org.config import OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.org import Org, in_background, open_org, upkeep
from tocsin.org.projector import Projector

_START_AGAIN_S = 1.0
_END_WITHIN_S = 5.0
_CONFIG_MOST_BYTES = 64 * 1024**2
_log = structlog.get_logger("tocsin.org")


async def upkeep_apart(org: Org, *, command: Sequence[str]) -> None:
    """`upkeep` by a process of its own, which `command` starts and runs `work` in; of the directory here, too."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(org.projector.run(only_first=True))
        tasks.create_task(_keep_running(org, command))


async def _keep_running(org: Org, command: Sequence[str]) -> None:
    while True:
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        except OSError as error:
            _log.error("worker.not_started", error=str(error), remedy="free memory or processes; it is tried again")
        else:
            await _until_it_ends(process, org)
            _log.error("worker.ended", code=process.returncode, remedy="it is started again")
        await asyncio.sleep(_START_AGAIN_S)


async def _until_it_ends(process: Process, org: Org) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(org.config) + b"\n")
    try:
        async with in_background(_wake(process, org.projector)):
            await _hear(process, org.projector)
    finally:
        if process.returncode is None:
            await _end(process)


async def _hear(process: Process, projector: Projector) -> None:
    """Until its end, or ours."""
    assert process.stdout is not None
    async for line in process.stdout:
        projector.heard(int(line))
    await process.wait()


async def _end(process: Process) -> None:
    """Let it finish what it is at, which is less than a second; killed it would lose nothing either."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _wake(process: Process, projector: Projector) -> None:
    pipe = process.stdin
    assert pipe is not None
    while not pipe.is_closing():
        news = projector.moved
        if not pipe.transport.get_write_buffer_size():  # else it has not read the last one
            pipe.write(b"\n")
        await news.wait()


async def work(folder: DataFolder) -> None:
    """
    What the process does, until nobody is at the other end of its standard input.

    Its standard output is for the org alone.
    Raises: OrgError or JournalError, when a file cannot be used; ExceptionGroup, when what it does has failed.
    """
    news = asyncio.StreamReader(limit=_CONFIG_MOST_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(news), sys.stdin)
    line = await news.readline()
    if not line.endswith(b"\n"):
        return  # the org has ended meanwhile
    # One that fails ends all: a process that reads on and does nothing would be started again by nobody.
    async with open_org(folder, msgspec.json.decode(line, type=OrgConfig)) as org, asyncio.TaskGroup() as tasks:
        others = [tasks.create_task(upkeep(org)), tasks.create_task(_tell(org.projector))]
        while await news.read(4096):
            org.journal.look()
        for task in others:
            task.cancel()


async def _tell(projector: Projector) -> None:
    told = 0
    while True:
        moved = projector.moved
        if projector.applied > told:
            told = projector.applied
            os.write(sys.stdout.fileno(), b"%d\n" % told)
        await moved.wait()
