"""A process for crash tests: appends to a journal without end and prints each acknowledged append at once."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from tocsin.journal import SqliteJournal

TASKS = 6
LONGEST = 40_000


def body_of(name: str) -> bytes:
    """A body that can be made again from its name: 16 bytes to `LONGEST`, and starting with the name's hash."""
    digest = hashlib.sha256(name.encode()).digest()
    size = 16 + int.from_bytes(digest[:3]) % LONGEST
    return (digest * (size // len(digest) + 1))[:size]


async def append_for_ever(path: Path) -> None:
    """Prints `seq topic name` for each append, once it is acknowledged."""
    journal = await SqliteJournal.open(path)

    async def one_task(task: int) -> None:
        number = 0
        while True:
            name = f"{os.getpid()}-{task}-{number}"
            topic = f"task.{task}"
            seq = await journal.append(topic, body_of(name))
            # One write each: a line is out, whole, before the next append, and is never lost in a buffer.
            os.write(sys.stdout.fileno(), f"{seq} {topic} {name}\n".encode())
            number += 1

    await asyncio.gather(*(one_task(task) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(append_for_ever(Path(sys.argv[1])))
