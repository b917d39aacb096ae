"""What the users of the servers may do: each role what it does, and nothing else."""

from tocsin.journal.jetstream import permissions as may
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.org.fleet.declared import BUCKETS, ORGS_BUCKET, STREAM, declared

ADMIN, ORG = "admin", "org"


def inbox_of(role: str) -> str:
    """Where a role hears answers, and no other."""
    return f"_IN_{role}"


def admin() -> Permissions:
    """Makes and checks streams and buckets, and registers orgs."""
    made = may.to_make(tuple(declared())) | may.to_read_clock(STREAM)
    return may.to_connect(inbox_of(ADMIN)) | made | may.to_write_table(ORGS_BUCKET)


def org() -> Permissions:
    """A node: all that is done with journals, and with what nodes share. Orgs it only looks up."""
    allowed = may.to_connect(inbox_of(ORG)) | may.to_append_to_journals(STREAM) | may.to_forget_of_journals(STREAM)
    allowed |= may.to_read_clock(STREAM) | may.to_read_table(ORGS_BUCKET)
    for bucket in BUCKETS[1:]:
        allowed |= may.to_write_table(bucket)
    return allowed | Permissions(tuple(f"$JS.API.STREAM.INFO.{one.config()['name']}" for one in declared()))
