"""A process for fault tests: appends to a journal on a cluster until its standard input ends.

One line for each append, when it is known what became of it: `seq topic name`, or `? topic name` where no quorum
answered. Half of the tasks have a topic each and expect its last entry; the others share one and expect nothing.
"""

import asyncio
import os
import sys

from support.journal_appender import body_of
from tocsin.journal import JournalUnreachable
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal, JetStreamSettings

TASKS = 6
PATIENCE_S = 30.0


async def append_for_ever(servers: tuple[str, ...], name: str) -> None:
    """Ends when cancelled."""
    settings = JetStreamSettings(servers=servers, patience_s=PATIENCE_S, connect_s=PATIENCE_S)
    connection = await JetStreamConnection.open(settings)
    journal = await JetStreamJournal.open(connection, name)

    async def one_task(task: int) -> None:
        number, last = 0, 0
        topic = f"own.{os.getpid()}.{task}" if task % 2 else "shared"
        while True:
            entry = f"{os.getpid()}-{task}-{number}"
            number += 1
            try:
                seq = await journal.append(topic, body_of(entry), expect_last=last if task % 2 else None)
            except JournalUnreachable:
                say(f"? {topic} {entry}")
                last = await journal.last(topic)
            else:
                last = seq
                say(f"{seq} {topic} {entry}")

    await asyncio.gather(*(one_task(task) for task in range(TASKS)))


def say(line: str) -> None:
    """One write each: a line is out, whole, before the next append."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def main(name: str, servers: tuple[str, ...]) -> None:
    """Append until standard input ends."""
    appending = asyncio.create_task(append_for_ever(servers, name))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await asyncio.wait((appending, ended), return_when=asyncio.FIRST_COMPLETED)
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], tuple(sys.argv[2:])))
