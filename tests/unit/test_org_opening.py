"""What is opened is closed again, whenever its opening is given up."""

import asyncio
from pathlib import Path

from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org


async def test_who_is_cancelled_while_it_opens_an_org_leaves_nothing_open(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path / "data")

    async def hold() -> None:
        async with open_org(folder):
            await asyncio.sleep(60)

    for step in range(0, 20, 2):
        opening = asyncio.create_task(hold())
        await asyncio.sleep(step / 1000)
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()  # LMDB would refuse an index that this process has open
    with folder.alone():
        pass
