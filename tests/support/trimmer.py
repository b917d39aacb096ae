"""A process for crash tests: trims and sweeps a data folder, as of a later and later time."""

import asyncio
import os
import sys
import time
from pathlib import Path

from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.retention import Retention
from tocsin.org.sweeper import Sweeper


async def trim(data: Path, rounds: int) -> None:
    """Makes a file `began` when the first round begins; each round is 20 s later than the one before."""
    later = [0.0]

    def clock() -> float:
        return time.time() + later[0]

    async with open_org(DataFolder.open(data, create=False), clock=clock) as org:
        live = org.providers_with_words
        retention = Retention(org.journal, org.projector, org.index, keep_s=0, live=live, clock=clock)
        sweeper = Sweeper(org.projector, org.index, live=live, clock=clock)
        os.close(os.open(data / "began", os.O_CREAT, 0o600))
        for _ in range(rounds):
            later[0] += 20
            await retention.round(pause_s=0)
            await sweeper.round(pause_s=0)


if __name__ == "__main__":
    asyncio.run(trim(Path(sys.argv[1]), int(sys.argv[2])))
