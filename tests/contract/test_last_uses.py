"""What every memory of tokens' last uses promises, of one machine or of a fleet."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tocsin.journal import MemoryKeyValue
from tocsin.org.last_uses import EVERY_MS, LastUses
from tocsin.org.shared.uses import SharedUses
from tocsin.org.stores import Uses


@pytest.fixture(params=["own", "fleet"])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Uses, Uses]]:
    """Two who have it in common: two processes of one machine, or two nodes."""
    if request.param == "own":
        mine, others = LastUses(tmp_path / "uses.db"), LastUses(tmp_path / "uses.db")
        yield mine, others
        mine.close()
        others.close()
    else:
        table = MemoryKeyValue(clock=lambda: 0.0)
        await table.put("other.00Ta", b"99")
        one, other = SharedUses(table, "acme"), SharedUses(table, "acme")
        yield one, other
        await one.close()
        await other.close()


async def test_a_use_is_noted_at_most_once_a_minute(nodes: tuple[Uses, Uses]) -> None:
    one, other = nodes
    assert await other.all() == {}
    for at_ms in (1_000_000, 1_000_001, 1_000_000 + EVERY_MS - 1):
        one.note("00Ta", at_ms)
    one.note("00Tb", 5)
    assert await one.all() == await other.all() == {"00Ta": 1_000_000, "00Tb": 5}
    one.note("00Ta", 1_000_000 + EVERY_MS)
    assert (await one.all())["00Ta"] == 1_000_000 + EVERY_MS


async def test_what_a_fleet_cannot_note_is_logged_and_refuses_nothing() -> None:
    table = MemoryKeyValue(clock=lambda: 0.0)
    uses = SharedUses(table, "acme")
    await table.close()
    with capture_logs() as logs:
        uses.note("00Ta", 5)
        await uses.close()
        uses.note("00Tb", 5)
        uses.note("00Tb", 6)
        with pytest.raises(Exception, match="closed"):
            await uses.all()
    assert [(log["event"], log["token"]) for log in logs] == [("token.use_not_noted", "00Tb")]
