"""All that a fleet is made of, orgs and relay workers alike: its streams and buckets, and who may do what with them."""

from collections.abc import Mapping
from functools import reduce
from operator import or_

from msgspec import Struct

from tocsin.journal.jetstream.copies import to_be_told_by_whom, to_compare_copies
from tocsin.journal.jetstream.declared import Declared
from tocsin.journal.jetstream.permissions import Permissions, to_connect
from tocsin.journal.jetstream.servers import to_ask_servers
from tocsin.org.fleet import declared as of_orgs
from tocsin.org.fleet import roles
from tocsin.org.fleet.roles import ADMIN, ORG, inbox_of
from tocsin.relay.fleet import FleetConfig
from tocsin.relay.fleet import declared as of_relays
from tocsin.relay.fleet.declared import DETECTOR, RELAY

RELAY_ADMIN, AUDITOR, SYSTEM = "relay-admin", "auditor", "system"
OF_ORGS, OF_RELAYS = "TOCSIN", "TOCSIN_RELAY"
OF_DETECTORS, OF_AUDITOR, SYSTEM_ACCOUNT = "TOCSIN_DETECTOR", "TOCSIN_AUDIT", "SYS"


class Account(Struct, frozen=True):
    """An account of the servers: nothing that its users send or hear reaches another one, but for what it imports."""

    roles: Mapping[str, Permissions]
    """What each may do, and nothing else."""
    imports: Mapping[str, tuple[str, ...]] = {}
    """Subjects of other accounts, by account, at which its users may ask."""
    has_streams: bool = False


def declared(lease_s: float | None = None) -> list[Declared]:
    """All streams and buckets of a fleet whose relay workers have this lease, or the usual one."""
    return [*declared_of_orgs(), *declared_of_relays(lease_s)]


def declared_of_orgs() -> list[Declared]:
    """Those in the account of orgs."""
    return of_orgs.declared()


def declared_of_relays(lease_s: float | None = None) -> list[Declared]:
    """Those in the account of relays."""
    return of_relays.declared(lease_s or FleetConfig().lease_s, replicas=of_orgs.REPLICAS)


def accounts() -> dict[str, Account]:
    """
    All that the servers have, by name.

    Servers do not check where a user has an answer sent: it may be any subject of its account, a journal's among them,
    or one at which a stream is deleted. Who needs little is a guest, in an account of its own.
    """
    relay_admin = to_connect(inbox_of(RELAY_ADMIN)) | of_relays.to_set_up(replicas=of_orgs.REPLICAS)
    relay = to_connect(inbox_of(RELAY)) | of_relays.worker_permissions()
    copies = {
        OF_ORGS: to_compare_copies(declared_of_orgs()),
        OF_RELAYS: to_compare_copies(declared_of_relays()),
    }
    return {
        OF_ORGS: Account({ADMIN: roles.admin(), ORG: roles.org()}, has_streams=True),
        OF_RELAYS: Account({RELAY_ADMIN: relay_admin, RELAY: relay}, has_streams=True),
        OF_DETECTORS: _of_guest(DETECTOR, {OF_RELAYS: of_relays.detector_permissions()}),
        OF_AUDITOR: _of_guest(AUDITOR, copies, to_be_told_by_whom(inbox_of(AUDITOR))),
        SYSTEM_ACCOUNT: Account({SYSTEM: to_ask_servers(inbox_of(SYSTEM))}),
    }


def _of_guest(role: str, asks: Mapping[str, Permissions], *besides: Permissions) -> Account:
    """For one who `asks` in these accounts, and has no streams: wherever it has an answer sent, that is in its own."""
    connects = to_connect(inbox_of(role))
    imports = {account: asked.publish for account, asked in asks.items()}
    host = next(iter(imports))
    may = reduce(or_, (*asks.values(), *besides), connects)
    return Account({role: may}, imports | {host: (*connects.publish, *imports[host])})
