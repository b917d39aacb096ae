"""The stream of signals: what every target's outbox of the fleet takes in, in one order. Pure.

An entry holds one batch as it goes into an outbox (`intake.Prepared`), cut so that it fits. Who reads a source writes
to the topic `signals.<source>`, and its last entry tells where the next one goes on; what a program hands over itself
goes to `signals.<source>.put`, where anyone may write. The topic alone tells which of both it is: what is handed over
is another source to the outboxes, whatever name it gives itself. And it stops nobody, whatever it says.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct, msgpack
from msgspec.structs import replace

from tocsin.journal import Entry, JournalError
from tocsin.relay.fleet.fenced import opened, unreadable
from tocsin.relay.fleet.names import handed_over, word
from tocsin.relay.intake import Prepared, can_be_told
from tocsin.signals import Skipped, SkipReason

BRANCH, PUT = "signals.", "put"
STREAM = "(signals)"
"""What the outbox calls the stream, which is a source to it; no source of a configuration can have this name."""
ROWS_PER_ENTRY = 1_000
SKIPPED_PER_ENTRY = 500
EXCERPT_BYTES = 40


class Published(Struct, frozen=True, array_like=True):
    """What one entry says."""

    batch: Prepared
    position: bytes = b""
    """Where the source goes on from after this, whether this batch brought it there or one before."""


def topic_of(source: str) -> str:
    """Of what the holder of a source reads."""
    return BRANCH + word(source)


def put_topic_of(source: str) -> str:
    """Of what is handed over under the name of a source."""
    return f"{BRANCH}{word(source)}.{PUT}"


def cut(batch: Prepared, *, ends_ms: int) -> Iterator[Prepared]:
    """
    The same batch in parts that fit; only the last moves the position and ends the list, only the first begins it.

    Args:
        ends_ms: nothing is claimed beyond this moment, for the stream does not remember for longer.
    """
    rows = [row if row[3] <= ends_ms else (*row[:3], ends_ms, row[4]) for row in batch.rows]
    parts = max(1, -(-len(rows) // ROWS_PER_ENTRY), -(-len(batch.skipped) // SKIPPED_PER_ENTRY))
    for part in range(parts):
        last = part == parts - 1
        yield replace(
            batch,
            rows=rows[part * ROWS_PER_ENTRY : (part + 1) * ROWS_PER_ENTRY],
            skipped=batch.skipped[part * SKIPPED_PER_ENTRY : (part + 1) * SKIPPED_PER_ENTRY],
            position=batch.position if last else None,
            ends_list=batch.ends_list and last,
            begins=batch.begins and part == 0,
        )


def published(entry: Entry) -> Published:
    """What an entry says. Raises: JournalError, for one that another version wrote."""
    try:
        return msgpack.decode(opened(entry).content, type=Published)
    except msgspec.DecodeError:
        raise unreadable(entry) from None


def taken(entries: Sequence[Entry], *, passed_over: Callable[[Entry], None]) -> list[Prepared]:
    """
    What entries of the stream say to an outbox, and how far it has come with them: kept together, or not at all.

    Args:
        passed_over: told of each that was handed over and cannot be read.
    Raises: JournalError, for such a one of a source that workers read: a newer version reads it now.
    """
    batches = [_batch(entry, passed_over) for entry in entries]
    return [*batches, Prepared(STREAM, [], position=b"%d" % entries[-1].seq)]


def _batch(entry: Entry, passed_over: Callable[[Entry], None]) -> Prepared:
    name, dot, _ = entry.topic.removeprefix(BRANCH).partition(".")
    if not dot:
        return published(entry).batch
    try:
        batch = published(entry).batch
        if not all(map(can_be_told, batch.rows)):
            raise unreadable(entry)
    except JournalError:
        # Anyone may have written it: what only some program understands must not keep the rest from being told.
        passed_over(entry)
        detail = "what was handed over cannot be read: another version or program wrote it"
        unread = Skipped(SkipReason.NOT_A_RECORD, entry.seq, detail, repr(entry.body[:EXCERPT_BYTES]))
        return Prepared(handed_over(name), [], [unread])
    return replace(batch, source=handed_over(batch.source))


def seq_of(position: bytes) -> int:
    """How far an outbox has come, by the position of the source `STREAM`."""
    return int(position or b"0")
