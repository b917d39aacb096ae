"""A fleet as one process has it open: on a NATS JetStream cluster."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from tocsin.journal import Journal
from tocsin.journal.jetstream import FleetClock, JetStreamConnection, JetStreamJournal, JetStreamKeyValue
from tocsin.journal.jetstream.declared import differences
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay.errors import RelayError
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.declared import (
    DETECTOR,
    OWNERS_BUCKET,
    RELAY,
    SIGNALS,
    SIGNALS_ROOT,
    SIGNALS_STREAM,
    TOLD_ROOT,
    TOLD_STREAM,
    WORKERS_BUCKET,
    declared,
)
from tocsin.relay.fleet.detector import Detector
from tocsin.relay.fleet.names import word
from tocsin.relay.fleet.serving import Stores
from tocsin.relay.fleet.set_lease import check_lease


@asynccontextmanager
async def open_stores(settings: JetStreamSettings, fleet: FleetConfig) -> AsyncIterator[Stores]:
    """
    What the workers of the fleet at `settings` share.

    Raises: JournalError or RelayError, which say what is to be mended, when it cannot be reached, does not let this
        user in, or has not all streams and buckets as they are declared.
    """
    async with AsyncExitStack() as stack:
        connection = await _connected(stack, settings, RELAY)
        await check_lease(connection, fleet.lease_s)
        for difference in await differences(connection, declared(fleet.lease_s)):
            raise RelayError(f"{difference.name}: {difference.text}", hint=difference.hint)
        signals, clock = await _signals(stack, connection)
        workers = await JetStreamKeyValue.open(connection, WORKERS_BUCKET)
        stack.push_async_callback(workers.close)
        owners = await JetStreamKeyValue.open(connection, OWNERS_BUCKET)
        stack.push_async_callback(owners.close)

        async def told(target: str) -> Journal:
            return await JetStreamJournal.open(connection, word(target), stream=TOLD_STREAM, root=TOLD_ROOT)

        yield Stores(signals, told, workers, owners, clock)


@asynccontextmanager
async def open_detector(settings: JetStreamSettings, fleet: FleetConfig) -> AsyncIterator[Detector]:
    """
    Where a program hands signals over to the fleet at `settings`. Raises as `open_stores` does.
    """
    async with AsyncExitStack() as stack:
        signals, clock = await _signals(stack, await _connected(stack, settings, DETECTOR))
        yield Detector(signals, clock=clock, life=fleet.signals_life)


async def _connected(stack: AsyncExitStack, settings: JetStreamSettings, role: str) -> JetStreamConnection:
    connection = await JetStreamConnection.open(settings, role=role)
    stack.push_async_callback(connection.close)
    return connection


async def _signals(stack: AsyncExitStack, connection: JetStreamConnection) -> tuple[Journal, Callable[[], datetime]]:
    signals = await JetStreamJournal.open(connection, SIGNALS, stream=SIGNALS_STREAM, root=SIGNALS_ROOT)
    stack.push_async_callback(signals.close)
    clock = await FleetClock.start(connection, stream=SIGNALS_STREAM)
    stack.push_async_callback(clock.close)
    return signals, lambda: datetime.fromtimestamp(clock(), UTC)
