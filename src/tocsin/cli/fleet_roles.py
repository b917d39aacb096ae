"""All streams and tables of a fleet, whichever room they are of, and what each role may do with them."""

from tocsin.journal.jetstream import permissions as may
from tocsin.journal.jetstream.declared import Declared
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.journal.jetstream.servers import to_ask_servers
from tocsin.org.fleet import declared as of_org
from tocsin.org.fleet.roles import node_permissions
from tocsin.relay.fleet import declared as of_relay
from tocsin.relay.fleet.config import FleetConfig

SYSTEM = "system"
"""The role whose user is in the servers' own account."""


def all_declared() -> list[Declared]:
    """Of all rooms."""
    return of_org.declared() + of_relay.declared(FleetConfig())


def inbox_of(role: str) -> str:
    """Where a role hears answers, and no other."""
    return f"_IN_{role}"


def roles() -> dict[str, Permissions]:
    """What each may do, by name."""
    allowed = {
        "admin": _admin_permissions(),
        "org": node_permissions(),
        "relay": of_relay.worker_permissions(),
        "detector": of_relay.detector_permissions(),
    }
    connected = {role: may.to_connect(inbox_of(role)) | permissions for role, permissions in allowed.items()}
    return connected | {SYSTEM: to_ask_servers(inbox_of(SYSTEM))}


def _admin_permissions() -> Permissions:
    """Makes and checks streams and tables, and registers orgs."""
    made = may.to_make(tuple(all_declared())) | may.to_read_clock(of_org.STREAM)
    return made | may.to_write_table(of_org.ORGS_BUCKET)
