"""The clock of a fleet, measured against real servers: they and the test share a machine, so its time is known."""

import time

import pytest

from support.jetstream import STREAM, jetstream
from support.nats_cluster import NatsCluster
from tocsin.journal import JournalError
from tocsin.journal.jetstream import FleetClock
from tocsin.journal.jetstream.declared import make

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("off_s", [0.0, -300.0, 300.0, 1e6])
async def test_it_tells_the_leaders_time_whatever_the_nodes_own_clock_says(
    nats_cluster: NatsCluster, off_s: float
) -> None:
    async with jetstream(nats_cluster) as connection:
        await make(connection, [STREAM])
        clock = await FleetClock.start(connection, monotonic=lambda: time.monotonic() + off_s)
        for _ in range(10):
            before_s, told_s, after_s = time.time(), clock(), time.time()
            assert before_s - clock.error_s - 1e-3 <= told_s <= after_s + clock.error_s + 1e-3
        await clock.close()


async def test_without_a_stream_it_does_not_start(nats_cluster: NatsCluster) -> None:
    async with jetstream(nats_cluster) as connection:
        with pytest.raises(JournalError, match="there is no stream"):
            await FleetClock.start(connection, stream="NOTHING")
