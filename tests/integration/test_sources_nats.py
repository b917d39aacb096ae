"""Messages of a real NATS server: a stream hands over again what was not kept; without one nothing waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest

from support.nats_cluster import NatsCluster
from tocsin.signals import Batch
from tocsin.sources import SourceConfig, SourceError, open_source

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ALERT = (
    '{"timestamp":"2026-01-05T10:00:00+0000","flow_id":1,"event_type":"alert","src_ip":"%s","dest_ip":"10.0.0.5",'
    '"alert":{"signature_id":1,"signature":"ET SCAN","severity":2}}'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    more = 'authorization { token: "s3cr3t" }'
    with NatsCluster(tmp_path_factory.mktemp("nats"), size=1, more=more) as alone:
        yield alone.urls[0]


def _source(server: str, folder: Path, subject: str) -> Any:
    (folder / "key").write_text("s3cr3t")
    config = SourceConfig(nats=server, subject=subject, key_file=str(folder / "key"))
    return open_source("bus", config, clock=lambda: NOW)


async def _until(batches: AsyncIterator[Batch], ip: str) -> list[str]:
    ips: list[str] = []
    async with asyncio.timeout(20):
        async for batch in batches:
            ips += [claim.ip for claim in batch.claims]
            if ip in ips:
                return ips
    raise AssertionError


async def test_a_stream_hands_over_again_what_was_not_kept(server: str, tmp_path: Path) -> None:
    client = await nats.connect(server, token="s3cr3t")
    streams = client.jetstream()
    await streams.add_stream(name="alerts", subjects=["alerts.>"])
    for number in range(3):
        await streams.publish("alerts.ids", (ALERT % f"1.2.3.{number}").encode())
    batches = _source(server, tmp_path, "alerts.ids").batches(b"")
    assert await _until(batches, "1.2.3.2") == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    await batches.aclose()  # stopped before they were durable
    for info in await streams.consumers_info("alerts"):
        assert info.num_ack_pending == 3
        assert info.config.durable_name == "tocsin-bus"
    await streams.delete_consumer("alerts", "tocsin-bus")  # as if the time to acknowledge had passed
    batches = _source(server, tmp_path, "alerts.ids").batches(b"")
    assert await _until(batches, "1.2.3.2") == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    await streams.publish("alerts.ids", (ALERT % "1.2.3.9").encode())
    assert await _until(batches, "1.2.3.9") == ["1.2.3.9"]
    (info,) = await streams.consumers_info("alerts")
    assert (info.num_ack_pending or 0) <= 1, "the three are acknowledged: who asks for more has kept them"
    await batches.aclose()
    await client.close()


async def test_a_subject_that_no_stream_keeps_is_listened_to(server: str, tmp_path: Path) -> None:
    batches = _source(server, tmp_path, "plain").batches(b"")
    listening = asyncio.create_task(_until(batches, "1.2.3.4"))
    client = await nats.connect(server, token="s3cr3t")
    while not listening.done():
        await client.publish("plain", (ALERT % "1.2.3.4").encode())
        await asyncio.sleep(0.05)
    assert set(await listening) == {"1.2.3.4"}
    await batches.aclose()
    await client.close()


async def test_a_server_that_is_not_there_or_wants_another_key_is_said(server: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nats://127\.0\.0\.1:1: .*Connect call failed"):
        await anext(_source("nats://127.0.0.1:1", tmp_path, "x").batches(b""))
    wrong = open_source("bus", SourceConfig(nats=server, subject="x"), clock=lambda: NOW)
    with pytest.raises(SourceError, match=r"(?i)authorization"):
        await anext(wrong.batches(b""))
