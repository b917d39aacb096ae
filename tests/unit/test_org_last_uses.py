"""When tokens were last used, while the file cannot be written."""

import sqlite3
from contextlib import closing
from pathlib import Path

from structlog.testing import capture_logs

from tocsin.org.last_uses import EVERY_MS, LastUses


async def test_a_use_that_cannot_be_noted_is_logged_and_tried_again_after_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "uses.db"
    uses = LastUses(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, capture_logs() as logs:
        other.execute("BEGIN IMMEDIATE")
        for at_ms in (0, 1, EVERY_MS - 1):
            uses.note("00Ta", at_ms)
        other.execute("ROLLBACK")
        assert [log["event"] for log in logs] == ["token.use_not_noted"]
        uses.note("00Ta", EVERY_MS)
    assert await uses.all() == {"00Ta": EVERY_MS}
    uses.close()
