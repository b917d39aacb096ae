"""Questions that only the leader of a stream answers: it knows of all that was acknowledged."""

import base64
from typing import Any

from tocsin.journal.jetstream.batches import Batches, Stored
from tocsin.journal.jetstream.connection import JetStreamConnection, Refused
from tocsin.journal.protocol import MAX_ENTRY_BYTES, JournalError, JournalUnreachable

NO_MESSAGE, NO_STREAM = 10037, 10059
_HIGHEST_SEQ = 2**64 - 1
_ENVELOPE_BYTES = 1024  # at most what a server counts of a message beside its body


async def last_of(connection: JetStreamConnection, stream: str, subject: str) -> Stored | None:
    """The last message of `subject` (wildcards allowed)."""
    return await _message(connection, stream, {"last_by_subj": subject})


async def next_of(connection: JetStreamConnection, stream: str, subject: str, first: int) -> Stored | None:
    """The first message of `subject` from seq `first` on."""
    return await _message(connection, stream, {"seq": first, "next_by_subj": subject}) if is_seq(first) else None


async def message_at(connection: JetStreamConnection, stream: str, seq: int) -> Stored | None:
    """The message with exactly this seq, of whatever subject."""
    return await _message(connection, stream, {"seq": seq}) if is_seq(seq) else None


async def read_on(
    connection: JetStreamConnection, batches: Batches, stream: str, subject: str, first: int, *, most: int, enough: int
) -> list[Stored]:
    """
    Messages of `subject` from seq `first` on, at most `most`, and no more once their bodies exceed `enough` bytes.

    Fewer only when the leader says that there are no more, since a replica that is behind says so too. Without a quorum
    it is what a replica has, or JournalUnreachable where that is nothing.
    """
    found: list[Stored] = []
    room = enough + _ENVELOPE_BYTES * most + MAX_ENTRY_BYTES
    while is_seq(first):
        found += await batches.next(stream, subject, first, most=most - len(found), max_bytes=room)
        if len(found) >= most or sum(len(one.body) for one in found) > enough:
            break
        try:
            following = await next_of(connection, stream, subject, found[-1].seq + 1 if found else first)
        except JournalUnreachable:
            if not found:
                raise
            break
        if following is None:
            break
        found.append(following)
        if len(found) == most:
            break
        first = following.seq + 1
    return found


def is_seq(number: int) -> bool:
    """Whether a message may have it."""
    return 1 <= number <= _HIGHEST_SEQ


def refused_error(stream: str, refused: Refused) -> JournalError:
    """What an answer of no means, and what to do."""
    if refused.err_code == NO_STREAM:
        return JournalError(f"there is no stream {stream}", hint="make it with `tocsin fleet init`")
    return JournalError(
        f"the stream {stream} refuses: {refused.description} ({refused.err_code})",
        hint="look at what `tocsin fleet check` says, and into the servers' log",
    )


async def _message(connection: JetStreamConnection, stream: str, question: dict[str, Any]) -> Stored | None:
    try:
        message = (await connection.api(f"STREAM.MSG.GET.{stream}", question))["message"]
    except Refused as refused:
        if refused.err_code == NO_MESSAGE:
            return None
        raise refused_error(stream, refused) from None
    return Stored(
        message["seq"],
        message["subject"],
        base64.b64decode(message.get("data", "")),
        _headers(base64.b64decode(message.get("hdrs", ""))),
        message["time"],
    )


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "replace").split("\r\n")[1:]
    return {name: value.strip() for name, found, value in (line.partition(":") for line in lines) if found}
