"""All that a fleet is made of, orgs and relay workers alike: its streams and buckets, and who may do what with them."""

from tocsin.journal.jetstream.copies import to_compare_copies
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
OF_ORGS, OF_RELAYS, SYSTEM_ACCOUNT = "TOCSIN", "TOCSIN_RELAY", "SYS"


def declared(lease_s: float | None = None) -> list[Declared]:
    """All streams and buckets of a fleet whose relay workers have this lease, or the usual one."""
    return [*declared_of_orgs(), *declared_of_relays(lease_s)]


def declared_of_orgs() -> list[Declared]:
    """Those in the account of orgs."""
    return of_orgs.declared()


def declared_of_relays(lease_s: float | None = None) -> list[Declared]:
    """Those in the account of relays."""
    return of_relays.declared(lease_s or FleetConfig().lease_s, replicas=of_orgs.REPLICAS)


def accounts() -> dict[str, dict[str, Permissions]]:
    """
    The accounts of the servers; of each, what each role may do, and nothing else.

    Servers do not check where a user has an answer sent: it may be any subject of its account, a journal's among them.
    What relays and detectors hold is in an account of its own, from which nothing reaches that of orgs.
    """
    relay_admin = to_connect(inbox_of(RELAY_ADMIN)) | of_relays.to_set_up(replicas=of_orgs.REPLICAS)
    return {
        OF_ORGS: {
            ADMIN: roles.admin(),
            ORG: roles.org(),
            AUDITOR: to_compare_copies(declared_of_orgs(), inbox_of(AUDITOR)),
        },
        OF_RELAYS: {
            RELAY_ADMIN: relay_admin | to_compare_copies(declared_of_relays(), inbox_of(RELAY_ADMIN)),
            RELAY: to_connect(inbox_of(RELAY)) | of_relays.worker_permissions(),
            DETECTOR: to_connect(inbox_of(DETECTOR)) | of_relays.detector_permissions(),
        },
        SYSTEM_ACCOUNT: {SYSTEM: to_ask_servers(inbox_of(SYSTEM))},
    }
