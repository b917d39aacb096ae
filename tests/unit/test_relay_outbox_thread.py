"""Whoever waits for the outbox hears how it ended, also when the relay is closed meanwhile."""

import asyncio
import fcntl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.relay import RelayError
from tocsin.relay.intake import Prepared
from tocsin.relay.outbox_thread import QUEUED_CLAIMS, OutboxThread

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
ROW = (bytes(10) + b"\xff\xff\x08\x08\x08\x08", 3, 0, 60_000, b"")


async def _box(folder: Path) -> OutboxThread:
    box = OutboxThread(folder / "outbox", clock=lambda: NOW)
    await box.open()
    return box


async def _ends(*waiting: "asyncio.Future[None]") -> list[str]:
    async with asyncio.timeout(10):
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, RelayError) for one in found), found
    return [str(one) for one in found]


async def test_a_put_that_is_being_written_ends_when_the_relay_is_closed(tmp_path: Path) -> None:
    box, busy = await _box(tmp_path), threading.Event()
    writer = asyncio.ensure_future(box.write_for_ever(on_written=lambda: None))
    blocked = asyncio.ensure_future(box.do(busy.wait))
    put = asyncio.ensure_future(box.put([Prepared("list", [ROW])]))
    for _ in range(20):  # until it is in the writer's hands
        await asyncio.sleep(0)
    writer.cancel()
    (why,) = await _ends(put)
    assert "may have been kept" in why
    busy.set()
    await blocked
    await box.close()


async def test_while_an_outbox_is_opened_the_loop_goes_on_and_who_gives_up_leaves_it_closed(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    with (tmp_path / "outbox" / "in-use").open("w") as another:
        fcntl.flock(another, fcntl.LOCK_EX)  # as while another process compacts it
        box = OutboxThread(tmp_path / "outbox", clock=lambda: NOW)
        opening = asyncio.ensure_future(box.open())
        await asyncio.sleep(0.05)
        assert not opening.done()
        opening.cancel()
        closing = asyncio.ensure_future(box.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        await asyncio.sleep(0.05)
        assert not closing.done()
        fcntl.flock(another, fcntl.LOCK_UN)
        await asyncio.wait([closing])
        assert closing.cancelled()
        fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_put_that_waits_for_room_or_comes_too_late_ends_when_the_relay_is_closed(tmp_path: Path) -> None:
    box = await _box(tmp_path)
    first = asyncio.ensure_future(box.put([Prepared("list", [ROW] * QUEUED_CLAIMS)]))
    second = asyncio.ensure_future(box.put([Prepared("list", [ROW])]))
    await asyncio.sleep(0)
    await box.close()
    late = asyncio.ensure_future(box.put([Prepared("list", [ROW])]))
    assert await _ends(first, second, late) == ["the relay was closed; this was not kept"] * 3
    with pytest.raises(RelayError, match="closed"):
        await box.do(len, "x")
