"""What is ours in the client of nats-py."""

import asyncio
from urllib.parse import urlparse

import pytest

pytest.importorskip("nats")
from nats.aio.client import Srv

from support.nats_cluster import held_port
from tocsin.journal.jetstream.client import StrictClient


async def test_a_cancellation_is_heeded_at_whichever_moment_of_an_attempt_it_comes() -> None:
    """Swallowed, it would leave a client that tries again for ever, and a process that does not end."""
    heeded = 0
    with held_port() as port:
        for moment in range(100):
            client = StrictClient()
            client._setup_server_pool([f"nats://127.0.0.1:{port}"])
            client.options["connect_timeout"] = 10
            server = Srv(urlparse(f"nats://127.0.0.1:{port}"))
            attempt = asyncio.create_task(client._connect_to_server(server))
            for _ in range(moment):
                await asyncio.sleep(0)
            if not attempt.cancel():
                with pytest.raises(ConnectionRefusedError):
                    await attempt
                break
            with pytest.raises(asyncio.CancelledError):
                await attempt
            heeded += 1
    assert heeded > 1
