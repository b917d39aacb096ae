"""What a user of the servers must be allowed for each thing that is done with a journal or a table, and nothing else.

A role is what it does, put together. NATS decides by subject: who may write is told apart by journal, but who may read
a stream or a bucket may read all of it, since what is asked for stands in the body of a question.
"""

from msgspec import Struct

from tocsin.journal.jetstream.declared import Declared, stream_of
from tocsin.journal.jetstream.journal import JOURNALS, news_of

_API = "$JS.API"


class Permissions(Struct, frozen=True):
    """Subjects, with the wildcards of NATS, that a user may publish to and subscribe to."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def __or__(self, other: "Permissions") -> "Permissions":
        return Permissions(
            tuple(dict.fromkeys(self.publish + other.publish)), tuple(dict.fromkeys(self.subscribe + other.subscribe))
        )


def to_connect(inbox_prefix: str) -> Permissions:
    """A connection; with an inbox prefix of its own, a user sees no answers to another."""
    return Permissions((f"{_API}.INFO",), (f"{inbox_prefix}.>",))


def to_read_journals(stream: str, name: str = "*", *, root: str = JOURNALS) -> Permissions:
    """`JetStreamJournal` without `append` and `forget`; hears the news of the journal `name`, or of all."""
    return Permissions((), (news_of(root, name),)) | _to_read(stream)


def to_append_to_journals(stream: str, name: str = "*", *, root: str = JOURNALS) -> Permissions:
    """`append`, to the journal `name` or to all. What it expects is looked up, so it reads as well."""
    return Permissions((f"{root}.{name}.>", news_of(root, name))) | to_read_journals(stream, name, root=root)


def to_forget_of_journals(stream: str) -> Permissions:
    """`forget`, on all journals of `stream`."""
    return Permissions(
        (f"{_API}.STREAM.MSG.GET.{stream}", f"{_API}.STREAM.INFO.{stream}", f"{_API}.STREAM.PURGE.{stream}")
    )


def to_read_table(bucket: str) -> Permissions:
    """`JetStreamKeyValue` without `put` and `delete`."""
    stream = stream_of(bucket)
    return _to_read(stream)


def to_write_table(bucket: str) -> Permissions:
    """All of `JetStreamKeyValue`."""
    return Permissions((f"$KV.{bucket}.>",)) | to_read_table(bucket)


def to_read_clock(stream: str) -> Permissions:
    """`FleetClock`."""
    return Permissions((f"{_API}.STREAM.INFO.{stream}",))


def to_make(declared: tuple[Declared, ...]) -> Permissions:
    """`declared.make` and `differences`."""
    names = [one.config()["name"] for one in declared]
    return Permissions(tuple(f"{_API}.STREAM.{operation}.{name}" for name in names for operation in ("INFO", "CREATE")))


def to_change(bucket: str) -> Permissions:
    """`declared.change`, on one bucket that is there."""
    stream = stream_of(bucket)
    return Permissions(tuple(f"{_API}.STREAM.{operation}.{stream}" for operation in ("INFO", "UPDATE")))


def _to_read(stream: str) -> Permissions:
    return Permissions(
        tuple(f"{_API}.{operation}.{stream}" for operation in ("STREAM.MSG.GET", "DIRECT.GET", "STREAM.INFO"))
    )
