"""How a record looks in bytes: MessagePack of a map tagged with its kind in `t`.

Fields may be added with a default; what a field means never changes. A kind this version does not know is an error,
not skipped: the folder was written by a newer version.
"""

import msgspec

from tocsin.journal.protocol import Entry  # not the door: what decides must not import what waits
from tocsin.org.errors import OrgError
from tocsin.org.records.bouncers import BouncerRecord
from tocsin.org.records.branches import DIRECTORY_BRANCH, LOG_BRANCH, RISK_BRANCH
from tocsin.org.records.clients import ClientRecord
from tocsin.org.records.deed import Dated
from tocsin.org.records.grants import GrantRecord
from tocsin.org.records.issued import IssuedRecord
from tocsin.org.records.keys import SigningKeyMade
from tocsin.org.records.policy import PolicyRecord
from tocsin.org.records.providers import ProviderRecord
from tocsin.org.records.rate_limit import RateLimitExceeded
from tocsin.org.records.risk import ConsumedEvent, RawEvents, RiskCarried, RiskEventsConsumed
from tocsin.org.records.sign_ins import SignInEvaluated
from tocsin.org.records.tokens import TokenRecord
from tocsin.org.records.trimmed import JournalTrimmed

DirectoryRecord = (
    ProviderRecord
    | TokenRecord
    | PolicyRecord
    | BouncerRecord
    | ClientRecord
    | GrantRecord
    | SigningKeyMade
    | IssuedRecord
    | JournalTrimmed
)
"""What changes the directory. All but what is issued is kept for ever: the directory is made again from it."""
LogRecord = RateLimitExceeded | SignInEvaluated
"""What only the System Log shows."""
Record = DirectoryRecord | RiskEventsConsumed | RiskCarried | LogRecord

_DIRECTORY_DECODER: msgspec.msgpack.Decoder[DirectoryRecord] = msgspec.msgpack.Decoder(DirectoryRecord)
_RISK_DECODER: msgspec.msgpack.Decoder[RiskEventsConsumed | RiskCarried] = msgspec.msgpack.Decoder(
    RiskEventsConsumed | RiskCarried
)
_LOG_DECODER: msgspec.msgpack.Decoder[LogRecord] = msgspec.msgpack.Decoder(LogRecord)
_RAW_EVENTS_DECODER = msgspec.msgpack.Decoder(RawEvents)
_EVENT_DECODER = msgspec.msgpack.Decoder(ConsumedEvent)
_DATED_DECODER = msgspec.msgpack.Decoder(Dated)
_ENCODER = msgspec.msgpack.Encoder()


def encode_record(record: Record) -> bytes:
    """The body of the entry that carries `record`."""
    return _ENCODER.encode(record)


def directory_record(entry: Entry) -> DirectoryRecord | None:
    """What `entry` changes in the directory, or None when it is about something else. Raises OrgError."""
    if not entry.topic.startswith(DIRECTORY_BRANCH):
        return None
    try:
        return _DIRECTORY_DECODER.decode(entry.body)
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def risk_record(entry: Entry) -> RiskEventsConsumed | None:
    """The risk events that a provider sent with `entry`, or None when it is about something else. Raises OrgError."""
    record = asserted_record(entry)
    return record if isinstance(record, RiskEventsConsumed) else None


def asserted_record(entry: Entry) -> RiskEventsConsumed | RiskCarried | None:
    """What `entry` says about IPs, or None when it is about something else. Raises OrgError."""
    if not entry.topic.startswith(RISK_BRANCH):
        return None
    try:
        return _RISK_DECODER.decode(entry.body)
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def record_time_ms(entry: Entry) -> int:
    """When what `entry` records was done, whatever kind of record it is. Raises OrgError."""
    try:
        return _DATED_DECODER.decode(entry.body).deed.at_ms
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def log_record(entry: Entry) -> LogRecord | None:
    """What `entry` holds for the System Log alone, or None when it is about something else. Raises OrgError."""
    if not entry.topic.startswith(LOG_BRANCH):
        return None
    try:
        return _LOG_DECODER.decode(entry.body)
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def record_of(entry: Entry) -> Record | None:
    """The record of `entry`, of whatever kind, or None when its topic is none of the org's. Raises OrgError."""
    return asserted_record(entry) or directory_record(entry) or log_record(entry)


def risk_message(entry: Entry, event: int, subject: int) -> str | None:
    """
    Why a subject of the risk events of `entry` is as risky as it says, or None when it had no message.

    Decodes one event and not up to 20: 5 us instead of 30. Raises OrgError.
    """
    try:
        messages = _EVENT_DECODER.decode(_RAW_EVENTS_DECODER.decode(entry.body).events[event]).messages
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error
    return (messages[subject] or None) if messages is not None else None


def _unreadable(entry: Entry, error: Exception) -> OrgError:
    text = f"entry {entry.seq} ({entry.topic}) of the journal cannot be read: {error}"
    return OrgError(text, hint="the folder was written by a newer version: use that version")
