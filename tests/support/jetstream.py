"""Connections to a cluster of the test's own, and the stream that its journals live in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.nats_cluster import NatsCluster
from tocsin.journal.jetstream import JetStreamConnection, JetStreamSettings
from tocsin.journal.jetstream.declared import StreamDeclared

STREAM = StreamDeclared(name="TOCSIN", subjects=("tocsin.journal.>",))


@asynccontextmanager
async def jetstream(cluster: NatsCluster, *urls: str, patience_s: float = 10.0) -> AsyncIterator[JetStreamConnection]:
    """A connection to all servers of `cluster`, or to `urls` alone."""
    settings = JetStreamSettings(servers=urls or tuple(cluster.urls), patience_s=patience_s)
    connection = await JetStreamConnection.open(settings)
    try:
        yield connection
    finally:
        await connection.close()
