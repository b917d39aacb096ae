"""Questions that only the leader of a stream answers: it knows of all that was acknowledged."""

import base64
from typing import TYPE_CHECKING, Any

from tocsin.journal.jetstream.asking import Refused
from tocsin.journal.jetstream.batches import Stored
from tocsin.journal.protocol import JournalError

if TYPE_CHECKING:
    from tocsin.journal.jetstream.connection import JetStreamConnection

NO_MESSAGE, NO_STREAM = 10037, 10059
_HIGHEST_SEQ = 2**64 - 1


async def last_of(connection: "JetStreamConnection", stream: str, subject: str) -> Stored | None:
    """The last message of `subject` (wildcards allowed)."""
    return await _message(connection, stream, {"last_by_subj": subject})


async def next_of(connection: "JetStreamConnection", stream: str, subject: str, first: int) -> Stored | None:
    """The first message of `subject` from seq `first` on."""
    return await _message(connection, stream, {"seq": first, "next_by_subj": subject}) if is_seq(first) else None


async def message_at(connection: "JetStreamConnection", stream: str, seq: int) -> Stored | None:
    """The message with exactly this seq, of whatever subject."""
    return await _message(connection, stream, {"seq": seq}) if is_seq(seq) else None


async def read_on(
    connection: "JetStreamConnection", stream: str, subject: str, first: int, *, most: int
) -> list[Stored]:
    """
    Messages of `subject` from seq `first` on, at most `most` and 4 MiB; there may be more.

    None only when the leader says so, since a replica that is behind has none either. Raises: JournalUnreachable, when
    it does not answer.
    """
    found = await connection.batches.next(stream, subject, first, most=most) if is_seq(first) else []
    if found:
        return found
    following = await next_of(connection, stream, subject, first)
    return [] if following is None else [following]


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


async def _message(connection: "JetStreamConnection", stream: str, question: dict[str, Any]) -> Stored | None:
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
