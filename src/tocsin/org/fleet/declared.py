"""The streams and buckets of the orgs of a fleet: the one list, for what makes them and what checks them."""

from tocsin.journal.jetstream.declared import BucketDeclared, Declared, StreamDeclared

ORGS_BUCKET = "tocsin_orgs"
STREAM = "TOCSIN"
_JOURNAL = "tocsin.journal"


def declared(*, replicas: int = 3) -> list[Declared]:
    """All of them."""
    return [
        StreamDeclared(name=STREAM, subjects=(f"{_JOURNAL}.>",), replicas=replicas),
        BucketDeclared(name=ORGS_BUCKET, replicas=replicas),
    ]
