"""The fleet as a node has it open: one connection, the table of orgs, and what stands behind each org."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tocsin.journal import Journal, KeyValue
from tocsin.journal.jetstream import JetStreamConnection, JetStreamJournal
from tocsin.journal.jetstream.clock import FleetClock
from tocsin.journal.jetstream.declared import differences
from tocsin.journal.jetstream.key_value import JetStreamKeyValue
from tocsin.org.crowdsec.feed import Feed
from tocsin.org.errors import OrgError
from tocsin.org.fleet.declared import BUCKETS, STREAM, declared
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.registered import Registered, RegisteredOrg
from tocsin.org.fleet.roles import ORG
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.fleet.settings import NodeSettings
from tocsin.org.folder import DataFolder
from tocsin.org.projector import Projector
from tocsin.org.shared.uses import SharedUses
from tocsin.org.stores import Stores, Tables, Uses, fleet_stores


class FleetOrg:
    """`Backing` of one org of a fleet."""

    shared = True

    def __init__(self, fleet: "Fleet", name: str) -> None:
        self._fleet, self._name = fleet, name

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Journal]:
        """See `Backing.opened`."""
        journal = await JetStreamJournal.open(self._fleet.connection, self._name, stream=STREAM)
        try:
            yield journal
        finally:
            await journal.close()

    @asynccontextmanager
    async def stores(
        self, _folder: DataFolder, journal: Journal, projector: Projector, _feed: Feed, _now: float
    ) -> AsyncIterator[Stores]:
        """See `Backing.stores`."""
        async with fleet_stores(self._fleet.tables, self._name, journal, projector, secret=self.secret()) as stores:
            yield stores

    @asynccontextmanager
    async def last_uses(self, _folder: DataFolder) -> AsyncIterator[Uses]:
        """See `Backing.last_uses`."""
        uses = SharedUses(self._fleet.tables.uses, self._name)
        try:
            yield uses
        finally:
            await uses.close()

    def secret(self) -> bytes:
        """See `Backing.secret`."""
        return self._fleet.secret.of_org(self._name)

    def now(self) -> float:
        """See `Backing.now`."""
        return self._fleet.clock()


class Fleet:
    """For `open_fleet`."""

    def __init__(
        self,
        connection: JetStreamConnection,
        orgs: KeyValue,
        tables: Tables,
        clock: FleetClock,
        secret: FleetSecret,
        node: NodeFolder,
    ) -> None:
        self.connection, self.tables, self.clock, self.secret = connection, tables, clock, secret
        self.registered = Registered(orgs)
        self._node = node

    async def names(self) -> list[str]:
        """See `Orgs.names`."""
        return list((await self.registered.all()).orgs)

    async def folder(self, name: str) -> DataFolder:
        """See `Orgs.folder`."""
        org = await self.registered.get(name)
        return self.folder_of(name, org)

    def folder_of(self, name: str, org: RegisteredOrg) -> DataFolder:
        """The folder here of a registered org. Raises OrgError."""
        return self._node.of_org(name, self.journal_of(org), FleetOrg(self, name))

    def journal_of(self, org: RegisteredOrg) -> str:
        """Tells the journal of a registered org from one that is put in its place; known again within seconds."""
        return f"{org.created_ms} {self.clock.stream_created}"


@asynccontextmanager
async def open_fleet(node: NodeFolder, settings: NodeSettings) -> AsyncIterator[Fleet]:
    """
    The fleet that `settings` say how to reach.

    Raises: JournalError or OrgError, which say what is to be mended, when it cannot be reached, lets this user not in,
        has not all streams and buckets as they are declared, or has another secret.
    """
    secret = secret_of(settings)
    async with AsyncExitStack() as stack:
        connection = await JetStreamConnection.open(settings, role=ORG)
        stack.push_async_callback(connection.close)
        for difference in await differences(connection, declared()):
            raise OrgError(f"{difference.name}: {difference.text}", hint=difference.hint)
        tables = [await _table(stack, connection, bucket) for bucket in BUCKETS]
        clock = await FleetClock.start(connection, stream=STREAM)
        stack.push_async_callback(clock.close)
        fleet = Fleet(connection, tables[0], Tables(*tables[1:]), clock, secret, node)
        await fleet.registered.check(secret)
        node.belong_to(secret)
        yield fleet


async def _table(stack: AsyncExitStack, connection: JetStreamConnection, bucket: str) -> KeyValue:
    table = await JetStreamKeyValue.open(connection, bucket)
    stack.push_async_callback(table.close)
    return table


def secret_of(settings: NodeSettings) -> FleetSecret:
    """The one in the file that `settings` name. Raises OrgError."""
    if settings.secret_file is None:
        raise OrgError("no secret_file is named", hint="write it into the table [journal] of the configuration")
    return FleetSecret.read(Path(settings.secret_file))
