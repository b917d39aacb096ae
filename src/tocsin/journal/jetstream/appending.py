"""Writing a message into a stream exactly once, whatever happens to the answer.

Each message carries an id of its own. While no acknowledgement comes, the same message is sent again: the servers
write an id once within their `duplicate_window`, and answer a repeat with the seq that it has.
"""

from uuid import uuid4

from tocsin.journal.jetstream.asking import Patience, Refused, is_passing
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.stream import last_of, next_of, refused_error
from tocsin.journal.protocol import JournalConflict

_ID = "Nats-Msg-Id"
_EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
_STREAM = "Nats-Expected-Stream"

_WRONG_LAST = frozenset({10071, 10164})  # the second while another message of the subject is on its way
_ON_ITS_WAY = 10158  # a message with this id is: ours, sent before


async def append(
    connection: JetStreamConnection,
    stream: str,
    subject: str,
    body: bytes,
    *,
    expect_last: int | None = None,
    headers: dict[str, str] | None = None,
    what: str,
) -> int:
    """
    Write one message; a quorum has it on its disks when this returns.

    Args:
        expect_last: seq of the last message of `subject`, 0 for none; None to not check.
        what: names the message in errors.
    Returns: its seq.
    Raises: JournalConflict; JournalUnreachable, after which it may be there or not; JournalError.
    """
    if expect_last is not None and not 0 <= expect_last < 2**64:
        await _check_last(connection, stream, subject, expect_last, what)
    identity = uuid4().hex
    sent = {_STREAM: stream, _ID: identity, **(headers or {})}
    if expect_last is not None:
        sent[_EXPECTED_LAST] = str(expect_last)
    patience = connection.patience()
    while True:
        try:
            return await _once(connection, subject, body, sent, patience)
        except Refused as refused:
            if refused.err_code in _WRONG_LAST and expect_last is not None:
                ours = None if patience.first else await _ours(connection, stream, subject, expect_last, identity)
                if ours is not None:
                    return ours
                await _check_last(connection, stream, subject, expect_last, what)
            elif refused.err_code != _ON_ITS_WAY and not is_passing(refused):
                raise refused_error(stream, refused) from None
            await patience.pause(f"{what}: not acknowledged, so it may be written or not", refused)


async def _once(
    connection: JetStreamConnection, subject: str, body: bytes, headers: dict[str, str], patience: Patience
) -> int:
    """Send it until there is an answer. Raises Refused."""
    from nats.errors import Error, MaxPayloadError

    while True:
        try:
            decoded = await connection.write(subject, body, headers, patience.attempt_s)
        except MaxPayloadError:
            raise Refused({"description": "the servers take no message as long as this"}) from None
        except (OSError, Error) as error:
            await patience.pause(f"{subject}: not acknowledged, so it may be written or not", error)
            continue
        if "error" in decoded:
            raise Refused(decoded["error"])
        return int(decoded["seq"])


async def _check_last(connection: JetStreamConnection, stream: str, subject: str, expected: int, what: str) -> None:
    """Raises JournalConflict, when the last message of `subject` is another one."""
    last = await last_of(connection, stream, subject)
    seq = 0 if last is None else last.seq
    if seq != expected:
        raise JournalConflict(what, expected=expected, last=seq) from None


async def _ours(connection: JetStreamConnection, stream: str, subject: str, expected: int, identity: str) -> int | None:
    """Its seq, if the message after the expected one is the one that was sent: only the answer had been lost."""
    following = await next_of(connection, stream, subject, expected + 1)
    return following.seq if following is not None and following.headers.get(_ID) == identity else None
