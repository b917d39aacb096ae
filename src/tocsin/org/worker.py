"""The process beside served orgs that keeps their projections up, sweeps, and trims.

It has a process of its own for the sake of the interpreter's lock. LMDB and SQLite let go of it at every call, and
beside an event loop that is always busy each call waits milliseconds to get it back: 4,000 IPs took 2.7 s, not 20 ms.

The two talk over pipes, in lines. To the process go orders in JSON, to work for an org or to leave it, and the name of
an org alone when there may be news in its journal; from it come the name of an org and the seq it has applied all of.
When this end closes, however it came to its end, the process ends too. Should it die, or not start, it is started
again; an org that cannot be worked for is tried again in it, and the others go on. Meanwhile the orgs take in and
answer, from an index that stands still.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog
from msgspec import Struct
from structlog.contextvars import bind_contextvars

from tocsin.org.config import OrgConfig
from tocsin.org.data import ALONE, Orgs
from tocsin.org.opening import org_behind
from tocsin.org.org import Org
from tocsin.org.projector import Projector
from tocsin.org.rounds import end, in_background, in_rounds
from tocsin.org.running import upkeep

_START_AGAIN_S = 1.0
_END_WITHIN_S = 5.0
_READ_BYTES = 64 * 1024
_ORDER = b"{"
_log = structlog.get_logger("tocsin.org")


class Take(Struct, frozen=True, tag="take"):
    """Work for this org."""

    org: str
    config: OrgConfig


class Leave(Struct, frozen=True, tag="leave"):
    """Do so no longer."""

    org: str


_ORDERS = msgspec.json.Decoder(Take | Leave)


class Worker:
    """The process, from this end, and the orgs that it works for."""

    def __init__(self, command: Sequence[str]) -> None:
        """`command` starts what runs `work`."""
        self._command = command
        self._orgs: dict[str, Org] = {}
        self._pipe: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Keep the process running, for ever."""
        await in_rounds(self._run_once, rest_s=_START_AGAIN_S, failed="worker.failed")

    async def _run_once(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        except OSError as error:
            _log.error("worker.not_started", error=str(error), remedy="free memory or processes; it is tried again")
        else:
            await self._until_it_ends(process)
            _log.error("worker.ended", code=process.returncode, remedy="it is started again")

    async def upkeep(self, org: Org, *, name: str = ALONE) -> None:
        """`upkeep` of `org` by the process, but for the directory that is kept here; for ever. `run` runs meanwhile."""
        self._orgs[name] = org
        try:
            self._tell(_order(Take(name, org.config)))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(org.projector.run(only_first=True))
                tasks.create_task(self._wake(name, org.projector))
        finally:
            del self._orgs[name]
            self._tell(_order(Leave(name)))

    async def _until_it_ends(self, process: Process) -> None:
        self._pipe = process.stdin
        try:
            for name, org in self._orgs.items():
                self._tell(_order(Take(name, org.config)))
            await self._hear(process)
        finally:
            self._pipe = None
            if process.returncode is None:
                await _end(process)

    async def _hear(self, process: Process) -> None:
        """Until its end, or ours."""
        assert process.stdout is not None
        async for line in process.stdout:
            name, _, seq = line.decode().rpartition(" ")
            if (org := self._orgs.get(name)) is not None:
                org.projector.heard(int(seq))
        await process.wait()

    async def _wake(self, name: str, projector: Projector) -> None:
        line = name.encode() + b"\n"
        while True:
            news = projector.moved
            if self._pipe is not None and not self._pipe.transport.get_write_buffer_size():  # else the last is unread
                self._tell(line)
            await news.wait()

    def _tell(self, line: bytes) -> None:
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(line)


def _order(order: Take | Leave) -> bytes:
    return msgspec.json.encode(order) + b"\n"


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


async def work(orgs: Orgs) -> None:
    """What the process does, until nobody is at the other end of its standard input. Its standard output is theirs."""
    news = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(news), sys.stdin)
    works: dict[str, _Work] = {}
    try:
        async for lines in _lines(news):
            for line in lines:
                if line.startswith(_ORDER):
                    await _obey(_ORDERS.decode(line), orgs, works)
            for name in {line.decode() for line in lines if not line.startswith(_ORDER)} & works.keys():
                works[name].look()
    finally:
        for one in works.values():
            await one.end()


async def _obey(order: Take | Leave, orgs: Orgs, works: "dict[str, _Work]") -> None:
    match order:
        case Take(name, config):
            works[name] = _Work(orgs, name, config)
        case Leave(name) if name in works:
            await works.pop(name).end()


async def _lines(news: asyncio.StreamReader) -> AsyncIterator[list[bytes]]:
    """Whole lines, those that came together at once."""
    rest = b""
    while chunk := await news.read(_READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines


class _Work:
    """What is done for one org."""

    def __init__(self, orgs: Orgs, name: str, config: OrgConfig) -> None:
        self._orgs, self._name, self._config = orgs, name, config
        self._org: Org | None = None
        self._task = asyncio.create_task(self._run())

    def look(self) -> None:
        """There may be news in its journal."""
        if self._org is not None:
            self._org.journal.look()

    async def end(self) -> None:
        """Do no more."""
        await end(self._task)

    async def _run(self) -> None:
        if self._name != ALONE:
            bind_contextvars(org=self._name)
        await in_rounds(self._once, rest_s=_START_AGAIN_S, failed="work.failed")

    async def _once(self) -> None:
        folder = await self._orgs.folder(self._name)
        with folder.in_use():
            async with org_behind(folder, self._config) as org, in_background(_say(self._name, org.projector)):
                await org.projector.catch_up()
                self._org = org
                try:
                    await upkeep(org)
                finally:
                    self._org = None


async def _say(name: str, projector: Projector) -> None:
    told = 0
    while True:
        moved = projector.moved
        if projector.applied > told:
            told = projector.applied
            os.write(sys.stdout.fileno(), b"%s %d\n" % (name.encode(), told))
        await moved.wait()
