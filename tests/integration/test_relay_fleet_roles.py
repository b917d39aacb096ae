"""What the roles of a fleet's relay may do is enough for what they do, and no more."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.fleet import server_ports, started
from support.nats_cluster import until
from support.process import tocsin
from tocsin.cli.fleet import told as settings_of
from tocsin.cli.fleet_files import write_files
from tocsin.journal import Journal, JournalError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal
from tocsin.journal.jetstream.journal import news_of
from tocsin.relay.fleet import FleetConfig
from tocsin.relay.fleet.declared import OWNERS_BUCKET, SIGNALS, SIGNALS_ROOT, SIGNALS_STREAM, TOLD_ROOT, TOLD_STREAM
from tocsin.relay.fleet.ledger import TOPIC
from tocsin.relay.fleet.opening import open_detector, open_stores
from tocsin.relay.fleet.serving import Stores
from tocsin.relay.fleet.stream import BRANCH, PUT, topic_of
from tocsin.signals import RiskLevel, Signal

pytestmark = pytest.mark.slow
FLEET = FleetConfig()


async def test_each_role_of_the_relay_does_its_part_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    write_files(folder, [f"nats://127.0.0.1:{port}" for port in server_ports()])
    with started(folder):
        until(lambda: tocsin("fleet", "init", str(folder)).returncode == 0, "the fleet is not made")
        now, news = datetime.now(UTC), asyncio.Event()
        worker = await JetStreamConnection.open(settings_of(folder, "relay-journal.toml"))
        await worker.listen(news_of(SIGNALS_ROOT, SIGNALS), lambda _: news.set())
        async with open_detector(settings_of(folder, "detector-journal.toml"), FLEET) as detector:
            await detector.put([Signal("9.9.9.9", RiskLevel.HIGH, now, now + timedelta(hours=1), "seen", "ids")])
            async with asyncio.timeout(30):
                await news.wait()
        await worker.close()
        outsider = await JetStreamConnection.open(settings_of(folder, "detector-journal.toml"))
        async with open_stores(settings_of(folder, "relay-journal.toml"), FLEET) as stores:
            assert len(await stores.signals.read()) == 1
            told = await stores.told("acme")
            first = await told.append(TOPIC, b"1", expect_last=0)
            last = await told.append(TOPIC, b"2", expect_last=first)
            assert [entry.seq for entry in await told.read()] == [first, last]
            assert await told.forget(TOPIC, last) == 1
            revision = await stores.owners.put("target.acme", b"{}", revision=0)
            assert (await stores.owners.all())["target.acme"].revision == revision
            await stores.workers.delete("w1", revision=await stores.workers.put("w1", b"{}"))
            await _what_a_detector_is_answered_reaches_no_worker(outsider, stores, told)
            await told.close()
        try:
            with pytest.raises(JournalError, match="may not"):
                await JetStreamJournal.open(outsider, "acme", stream=TOLD_STREAM, root=TOLD_ROOT)
            signals = await JetStreamJournal.open(outsider, SIGNALS, stream=SIGNALS_STREAM, root=SIGNALS_ROOT)
            with pytest.raises(JournalError, match="may not"):
                await signals.append(topic_of("ids"), b"a position that its reader never had")
        finally:
            await outsider.close()


async def _what_a_detector_is_answered_reaches_no_worker(
    detector: JetStreamConnection, stores: Stores, told: Journal
) -> None:
    """Wherever it says: not the table of owners, what targets were told, what sources said."""
    put = f"{SIGNALS_ROOT}.{SIGNALS}.{BRANCH}x.{PUT}"
    before = await stores.signals.last()
    for to in (f"$KV.{OWNERS_BUCKET}.target.zzz", f"{TOLD_ROOT}.acme.{TOPIC}", f"{SIGNALS_ROOT}.{SIGNALS}.signals.ids"):
        await detector.publish(put, b"{}", to)
        await detector.publish(f"$JS.API.STREAM.MSG.GET.{SIGNALS_STREAM}", b'{"seq":1}', to)
    async with asyncio.timeout(30):
        while len(await stores.signals.read(before)) < 3:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    await detector.ask(put, b"{}", None, 5.0)  # what was asked before it has been answered
    assert set(await stores.owners.all()) == {"target.acme"}
    assert len(await told.read()) == 1
    assert {entry.topic for entry in await stores.signals.read()} == {f"{BRANCH}ids.{PUT}", f"{BRANCH}x.{PUT}"}
