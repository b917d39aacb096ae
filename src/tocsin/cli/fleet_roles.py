"""All that a fleet is made of, orgs and relay workers alike: its streams and buckets, and who may do what with them."""

from tocsin.journal.jetstream.copies import to_compare_copies
from tocsin.journal.jetstream.declared import Declared
from tocsin.journal.jetstream.permissions import Permissions, to_connect, to_make
from tocsin.journal.jetstream.servers import to_ask_servers
from tocsin.org.fleet import declared as of_orgs
from tocsin.org.fleet import roles
from tocsin.org.fleet.roles import inbox_of
from tocsin.relay.fleet import FleetConfig
from tocsin.relay.fleet import declared as of_relays

ADMIN, ORG, RELAY, DETECTOR, AUDITOR, SYSTEM = "admin", "org", "relay", "detector", "auditor", "system"


def declared() -> list[Declared]:
    """All streams and buckets of a fleet."""
    return [*of_orgs.declared(), *_of_relays()]


def permissions() -> dict[str, Permissions]:
    """What each role may do, and nothing else."""
    return {
        ADMIN: roles.admin() | to_make(tuple(_of_relays())),
        ORG: roles.org(),
        RELAY: to_connect(inbox_of(RELAY)) | of_relays.worker_permissions(),
        DETECTOR: to_connect(inbox_of(DETECTOR)) | of_relays.detector_permissions(),
        AUDITOR: to_compare_copies(declared(), inbox_of(AUDITOR)),
        SYSTEM: to_ask_servers(inbox_of(SYSTEM)),
    }


def _of_relays() -> list[Declared]:
    return of_relays.declared(FleetConfig(), replicas=of_orgs.REPLICAS)
