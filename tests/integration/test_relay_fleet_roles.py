"""What the roles of a fleet's relay may do is enough for what they do, and no more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.nats_cluster import NatsCluster
from tocsin.cli.fleet_roles import OF_RELAYS, accounts, declared_of_relays
from tocsin.journal import JournalError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal, JetStreamSettings
from tocsin.journal.jetstream.declared import make
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.org.fleet.roles import inbox_of
from tocsin.relay.fleet import FleetConfig
from tocsin.relay.fleet.declared import SIGNALS, SIGNALS_ROOT, SIGNALS_STREAM, TOLD_ROOT, TOLD_STREAM
from tocsin.relay.fleet.ledger import TOPIC
from tocsin.relay.fleet.opening import open_detector, open_stores
from tocsin.relay.fleet.stream import topic_of
from tocsin.signals import RiskLevel, Signal

pytestmark = pytest.mark.slow
FLEET = FleetConfig()


def _user(role: str, allowed: Permissions) -> str:
    publish, subscribe = (", ".join(f'"{one}"' for one in each) for each in (allowed.publish, allowed.subscribe))
    return f"{{ user: {role}, password: {role}, permissions: {{ publish: [{publish}], subscribe: [{subscribe}] }} }}"


async def test_each_role_of_the_relay_does_its_part_and_no_other(tmp_path: Path) -> None:
    users = "\n".join(_user(role, allowed) for role, allowed in accounts()[OF_RELAYS].items())
    with NatsCluster(tmp_path / "nats", more=f"authorization {{ users: [\n{users}\n] }}") as cluster:

        def settings(role: str) -> JetStreamSettings:
            (tmp_path / role).write_text(role)
            file, inbox = str(tmp_path / role), inbox_of(role)
            return JetStreamSettings(tuple(cluster.urls), user=role, password_file=file, inbox_prefix=inbox)

        admin = await JetStreamConnection.open(settings("relay-admin"))
        await make(admin, declared_of_relays())
        await admin.close()
        now = datetime.now(UTC)
        async with open_detector(settings("detector"), FLEET) as detector:
            await detector.put([Signal("9.9.9.9", RiskLevel.HIGH, now, now + timedelta(hours=1), "seen", "ids")])
        async with open_stores(settings("relay"), FLEET) as stores:
            assert len(await stores.signals.read()) == 1
            told = await stores.told("acme")
            first = await told.append(TOPIC, b"1", expect_last=0)
            last = await told.append(TOPIC, b"2", expect_last=first)
            assert [entry.seq for entry in await told.read()] == [first, last]
            assert await told.forget(TOPIC, last) == 1
            await told.close()
            revision = await stores.owners.put("target.acme", b"{}", revision=0)
            assert (await stores.owners.all())["target.acme"].revision == revision
            await stores.workers.delete("w1", revision=await stores.workers.put("w1", b"{}"))
        outsider = await JetStreamConnection.open(settings("detector"))
        try:
            with pytest.raises(JournalError, match="may not"):
                await JetStreamJournal.open(outsider, "acme", stream=TOLD_STREAM, root=TOLD_ROOT)
            signals = await JetStreamJournal.open(outsider, SIGNALS, stream=SIGNALS_STREAM, root=SIGNALS_ROOT)
            with pytest.raises(JournalError, match="may not"):
                await signals.append(topic_of("ids"), b"a position that its reader never had")
        finally:
            await outsider.close()
