"""Topics of a real broker: read on from the relay's own position, none lost over a kill; what is wrong is said."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from trustme import CA

from support.kafka import broker, free_port, guarded, make_topic, produce
from support.org import OrgProcess
from support.relay_process import RelayProcess
from tocsin.signals import Batch
from tocsin.sources import SourceConfig, SourceError, open_source

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ALERT = (
    b'{"timestamp":"2026-01-05T10:00:00+0000","flow_id":1,"event_type":"alert","src_ip":"%b","dest_ip":"10.0.0.5",'
    b'"alert":{"signature_id":1,"signature":"ET SCAN","severity":2}}'
)
ALERTS = [ALERT % b"1.2.3.%d" % number for number in range(6)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("kafka")) as servers:
        yield servers


def _batches(servers: str, topic: str, position: bytes = b"", **settings: str) -> Any:
    config = msgspec.convert({"kafka": servers, "topic": topic, **settings}, SourceConfig)
    return open_source("bus", config, clock=lambda: NOW).batches(position)


async def _taken(batches: AsyncIterator[Batch], count: int) -> list[Batch]:
    """Batches until they hold `count` claims."""
    taken = list[Batch]()
    async with asyncio.timeout(30):
        while sum(len(batch.claims) for batch in taken) < count:
            taken.append(await anext(batches))
    return taken


def _more_than(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: status["ips"] > count


def _ips(batches: list[Batch]) -> list[str]:
    return sorted(claim.ip for batch in batches for claim in batch.claims)


async def test_a_topic_is_read_on_from_the_position_of_each_partition(servers: str) -> None:
    await make_topic(servers, "two", partitions=2)
    await produce(servers, "two", ALERTS[:4], partitions=2)
    batches = _batches(servers, "two")
    first = await _taken(batches, 4)
    assert _ips(first) == [f"1.2.3.{number}" for number in range(4)]
    assert first[-1].position == b'{"0":2,"1":2}'
    await produce(servers, "two", ALERTS[4:], partitions=2)
    assert _ips(await _taken(batches, 2)) == ["1.2.3.4", "1.2.3.5"], "what comes while it listens"
    await batches.aclose()
    again = _batches(servers, "two", first[-1].position)
    assert _ips(await _taken(again, 2)) == ["1.2.3.4", "1.2.3.5"], "from the last position that was kept"
    await again.aclose()


async def test_a_topic_that_begins_anew_is_read_from_its_start_and_that_is_said(servers: str) -> None:
    await make_topic(servers, "again")
    await produce(servers, "again", ALERTS[:1])
    batches = _batches(servers, "again", b'{"0":7}')
    said, *found = await _taken(batches, 1)
    assert [(str(one.reason), one.line) for one in said.skipped] == [("cut_off", 7)]
    assert "partition 0 of again was read up to 7, and begins at 0 now" in said.skipped[0].detail
    assert _ips(found) == ["1.2.3.0"]
    await batches.aclose()


async def test_a_topic_that_there_is_not_is_said_and_not_made(servers: str) -> None:
    with pytest.raises(SourceError, match=rf"{servers} has no topic alrets"):
        await anext(_batches(servers, "alrets"))
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    assert "alrets" not in await admin.list_topics(), "brokers make a topic for whoever asks for it by name"
    await admin.close()


async def test_a_key_goes_over_tls_and_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    authority, port = CA(), free_port()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "key").write_text("s3cr3t")
    (tmp_path / "wrong").write_text("other")
    ca_file = str(tmp_path / "ca.pem")
    place = f"127.0.0.1:{port}"
    with broker(tmp_path, told=port) as inner:
        async with guarded(inner, port, authority, "s3cr3t"):
            wrong = _batches(place, "alerts", user="tocsin", ca_file=ca_file, key_file=str(tmp_path / "wrong"))
            with pytest.raises(SourceError, match="Authentication failed") as caught:
                await anext(wrong)
            assert "other" not in str(caught.value)
            with pytest.raises(SourceError, match="certificate verify failed"):
                await anext(_batches(place, "alerts", user="tocsin", key_file=str(tmp_path / "key")))
            right = _batches(place, "alerts", user="tocsin", ca_file=ca_file, key_file=str(tmp_path / "key"))
            with pytest.raises(SourceError, match="has no topic alerts"):  # let in
                await anext(right)


async def test_a_relay_that_is_killed_goes_on_where_it_was_and_loses_nothing(servers: str, tmp_path: Path) -> None:
    await make_topic(servers, "killed", partitions=3)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000").encode()
    alerts = [ALERT.replace(b"2026-01-05T10:00:00+0000", now) % b"1.2.%d.%d" % divmod(one, 250) for one in range(900)]
    with OrgProcess(tmp_path / "org") as org:
        (tmp_path / "token").write_text(org.token("relay"))
        config = tmp_path / "relay.toml"
        target = f'[targets.acme]\nurl = "{org.url}"\ntoken_file = "token"\n'
        source = f'[sources.bus]\nkafka = "{servers}"\ntopic = "killed"\n'
        config.write_text(f'state = "state"\n{target}{source}')
        for at in range(0, 900, 300):
            with RelayProcess(config) as relay:
                await produce(servers, "killed", alerts[at : at + 200], partitions=3)
                relay.until(_more_than(at))
            # Killed, wherever it was.
            await produce(servers, "killed", alerts[at + 200 : at + 300], partitions=3)
        with RelayProcess(config) as relay:
            assert relay.until(lambda status: status["ips"] >= 900)["ips"] == 900
