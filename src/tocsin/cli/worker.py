"""The process that `tocsin serve` starts beside itself: `python -m tocsin.cli.worker DATA`. Not for people."""

import asyncio
import signal
import sys
from pathlib import Path

from tocsin.cli.logs import configure_logging
from tocsin.errors import TocsinError
from tocsin.org.data import open_orgs
from tocsin.org.worker import work


def main() -> None:
    """It ends when its standard input does, and not when a terminal or a supervisor signals to all processes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure_logging()
    _, path = sys.argv
    try:
        asyncio.run(_work(Path(path)))
    except TocsinError as error:
        sys.exit(f"tocsin: {error.summary}")


async def _work(path: Path) -> None:
    async with open_orgs(path, create=False) as orgs:
        await work(orgs)


if __name__ == "__main__":
    main()
