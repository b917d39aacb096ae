"""The streams and buckets that relay workers share: the one list, and what each role may do with them."""

from tocsin.journal.jetstream.declared import BucketDeclared, Declared, StreamDeclared, stream_of
from tocsin.journal.jetstream.journal import news_of
from tocsin.journal.jetstream.permissions import (
    Permissions,
    to_append_to_journals,
    to_change,
    to_forget_of_journals,
    to_make,
    to_read_clock,
    to_write_table,
)
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.lease import Timing
from tocsin.relay.fleet.stream import BRANCH, PUT

SIGNALS_STREAM, TOLD_STREAM = "TOCSIN_SIGNALS", "TOCSIN_TOLD"
SIGNALS_ROOT, SIGNALS = "tocsin.signals", "all"
"""The subjects of the one journal of signals begin so."""
TOLD_ROOT = "tocsin.told"
"""Under it each target has a journal, by its name."""
RELAY, DETECTOR = "relay", "detector"
"""The roles: of a worker, and of a program that hands signals over."""
WORKERS_BUCKET, OWNERS_BUCKET = "tocsin_workers", "tocsin_targets"


def declared(lease_s: float, *, replicas: int = 3) -> list[Declared]:
    """All of them, for workers with this lease."""
    return [
        StreamDeclared(name=SIGNALS_STREAM, subjects=(f"{SIGNALS_ROOT}.>",), replicas=replicas),
        StreamDeclared(name=TOLD_STREAM, subjects=(f"{TOLD_ROOT}.>",), replicas=replicas),
        bucket_of_workers(lease_s, replicas=replicas),
        BucketDeclared(name=OWNERS_BUCKET, replicas=replicas),
    ]


def bucket_of_workers(lease_s: float, *, replicas: int) -> BucketDeclared:
    """In which an entry ends by itself when its worker does not renew it."""
    return BucketDeclared(name=WORKERS_BUCKET, replicas=replicas, life_s=Timing(lease_s).life_s)


def to_set_up(*, replicas: int) -> Permissions:
    """Makes them, and changes the lease."""
    return to_make(tuple(declared(FleetConfig().lease_s, replicas=replicas))) | to_change(WORKERS_BUCKET)


def worker_permissions() -> Permissions:
    """What a relay worker does."""
    streams = (SIGNALS_STREAM, TOLD_STREAM, stream_of(WORKERS_BUCKET), stream_of(OWNERS_BUCKET))
    looks = Permissions(tuple(f"$JS.API.STREAM.INFO.{stream}" for stream in streams))  # are they as declared?
    return (
        to_append_to_journals(SIGNALS_STREAM, root=SIGNALS_ROOT)
        | to_append_to_journals(TOLD_STREAM, root=TOLD_ROOT)
        | to_forget_of_journals(SIGNALS_STREAM)
        | to_forget_of_journals(TOLD_STREAM)
        | to_write_table(WORKERS_BUCKET)
        | to_write_table(OWNERS_BUCKET)
        | to_read_clock(SIGNALS_STREAM)
        | looks
    )


def detector_permissions() -> Permissions:
    """What a program does that only hands signals over. It writes where everyone may, and no source's own topic."""
    news = news_of(SIGNALS_ROOT, SIGNALS)
    opens = f"$JS.API.STREAM.MSG.GET.{SIGNALS_STREAM}"  # which asks how far the stream is, and gives single entries
    puts = f"{SIGNALS_ROOT}.{SIGNALS}.{BRANCH}*.{PUT}"
    return Permissions((puts, news, opens), (news,)) | to_read_clock(SIGNALS_STREAM)
