"""What a node of a fleet may do at its servers: what it does, and nothing else."""

from tocsin.journal.jetstream import permissions as may
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.org.fleet.declared import BUCKETS, ORGS_BUCKET, STREAM, declared


def node_permissions() -> Permissions:
    """All that is done with journals, and with what nodes share. Orgs it only looks up."""
    allowed = may.to_append_to_journals(STREAM) | may.to_forget_of_journals(STREAM)
    allowed |= may.to_read_clock(STREAM) | may.to_read_table(ORGS_BUCKET)
    for bucket in BUCKETS[1:]:
        allowed |= may.to_write_table(bucket)
    looks = Permissions(tuple(f"$JS.API.STREAM.INFO.{one.config()['name']}" for one in declared()))
    return allowed | looks
