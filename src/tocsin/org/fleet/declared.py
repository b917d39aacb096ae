"""The streams and buckets of the orgs of a fleet: the one list, for what makes them and what checks them."""

from tocsin.journal.jetstream.declared import BucketDeclared, Declared, StreamDeclared
from tocsin.journal.jetstream.journal import JOURNALS
from tocsin.org.shared import proofs, windows

ORGS_BUCKET = "tocsin_orgs"
_WINDOWS, _PROOFS, _USES, _PULLS = "tocsin_windows", "tocsin_proofs", "tocsin_uses", "tocsin_pulls"
BUCKETS = (ORGS_BUCKET, _WINDOWS, _PROOFS, _USES, _PULLS)
"""The orgs, and what `stores.Tables` holds."""
REPLICAS = 3
STREAM = "TOCSIN"


def declared(*, replicas: int = REPLICAS) -> list[Declared]:
    """All of them."""
    return [
        StreamDeclared(name=STREAM, subjects=(f"{JOURNALS}.>",), replicas=replicas),
        BucketDeclared(name=ORGS_BUCKET, replicas=replicas),
        BucketDeclared(name=_WINDOWS, replicas=replicas, life_s=windows.LIFE_S),
        BucketDeclared(name=_PROOFS, replicas=replicas, life_s=proofs.LIFE_S),
        BucketDeclared(name=_USES, replicas=replicas),
        BucketDeclared(name=_PULLS, replicas=replicas),
    ]
