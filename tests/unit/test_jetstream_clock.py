"""A server leads whose clock is five minutes off: the fleet's time does not leap, and the log says what to mend."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from tocsin.journal.jetstream import FleetClock, JetStreamConnection

NOW_S = 1_800_000_000.0


class FakeLeader:
    """A connection to one whose clock is `ahead_s`."""

    def __init__(self) -> None:
        self.passed_s = self.ahead_s = 0.0

    async def api(self, _operation: str) -> dict[str, Any]:
        return {
            "created": "2026-01-01T00:00:00Z",
            "ts": datetime.fromtimestamp(NOW_S + self.passed_s + self.ahead_s, UTC).isoformat(),
        }


@pytest.mark.parametrize("ahead_s", [300.0, -300.0])
async def test_a_leader_that_is_off_is_followed_slowly_and_told_of(ahead_s: float) -> None:
    leader = FakeLeader()
    connection = cast("JetStreamConnection", leader)
    clock = await FleetClock.start(connection, every_s=3600, monotonic=lambda: 5.0 + leader.passed_s)
    leader.ahead_s = ahead_s
    with capture_logs() as logged:
        shown = [clock()]
        for _ in range(12):
            leader.passed_s += 5
            await clock.measure()
            shown.append(clock())
        leader.ahead_s = 0.0
        for _ in range(12):
            leader.passed_s += 60
            await clock.measure()
    told = [(log["event"], log["by_s"], log["log_level"]) for log in logged]
    assert told == [("clock.leader_leaps", 300.0, "error")] * 2, "there, and back"
    assert "NTP" in logged[0]["remedy"]
    passed = [after - before for before, after in pairwise(shown)]
    assert passed == [pytest.approx(5.25 if ahead_s > 0 else 2.5)] * 12
    assert clock() == pytest.approx(NOW_S + leader.passed_s), "it is right again"
    assert clock.error_s < 0.1
    await clock.close()
