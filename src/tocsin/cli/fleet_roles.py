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

AUDITOR, SYSTEM = "auditor", "system"


def declared(lease_s: float | None = None) -> list[Declared]:
    """All streams and buckets of a fleet whose relay workers have this lease, or the usual one."""
    return [*of_orgs.declared(), *of_relays.declared(lease_s or FleetConfig().lease_s, replicas=of_orgs.REPLICAS)]


def permissions() -> dict[str, Permissions]:
    """What each role may do, and nothing else."""
    return {
        ADMIN: roles.admin() | of_relays.to_set_up(replicas=of_orgs.REPLICAS),
        ORG: roles.org(),
        RELAY: to_connect(inbox_of(RELAY)) | of_relays.worker_permissions(),
        DETECTOR: to_connect(inbox_of(DETECTOR)) | of_relays.detector_permissions(),
        AUDITOR: to_compare_copies(declared(), inbox_of(AUDITOR)),
        SYSTEM: to_ask_servers(inbox_of(SYSTEM)),
    }
