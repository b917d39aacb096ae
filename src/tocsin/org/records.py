"""What the org writes to the journal, and under which topics. The one place that knows how a record looks in bytes.

A record is MessagePack of a map tagged with its kind in `t`. Fields may be added with a default; what a field means
never changes. A kind this version does not know is an error, not skipped: the folder was written by a newer version.
"""

from enum import StrEnum

import msgspec
from msgspec import Struct

from tocsin.journal.protocol import Entry  # not the door: what decides must not import what waits
from tocsin.org.errors import OrgError
from tocsin.signals import RiskProviderAction

PROVIDER_TOPIC = "provider"
TOKEN_TOPIC = "token"  # noqa: S105 - a topic
RISK_TOPIC_PREFIX = "risk."


class Role(StrEnum):
    """What the holder of a token may do."""

    SUPER_ADMIN = "super_admin"
    """Everything."""
    PROVIDER_ADMIN = "provider_admin"
    """Risk providers and risk events."""
    READ_ONLY = "read_only"
    """Look, and change nothing."""


class ConsumedEvent(Struct, frozen=True, array_like=True):
    """One risk event as its provider sent it; the org's own rules are applied later, in `assertions`."""

    timestamp_ms: int | None
    expires_ms: int | None
    ips: bytes
    """16 bytes a subject."""
    severities: bytes
    """1 byte a subject: 3 HIGH, 2 MEDIUM, 1 LOW."""
    messages: list[str] | None
    """One for each subject, empty where it had none; None when no subject had one."""


class RiskEventsConsumed(Struct, frozen=True, tag_field="t", tag="risk"):
    """One accepted request of risk events."""

    received_ms: int
    request_id: str
    provider_id: str
    principal: str
    """Id of the token that authorized the request."""
    events: list[ConsumedEvent]


class _RawEvents(Struct, frozen=True, tag_field="t", tag="risk"):
    """What `RiskEventsConsumed` is, read only as far as to find one event."""

    events: list[msgspec.Raw]


class ProviderCreated(Struct, frozen=True, tag_field="t", tag="provider.created"):
    """A new risk provider."""

    at_ms: int
    principal: str | None
    """Id of the token that asked for it; None for the org itself."""
    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction
    is_default: bool


class ProviderReplaced(Struct, frozen=True, tag_field="t", tag="provider.replaced"):
    """A provider's writable fields were replaced."""

    at_ms: int
    principal: str
    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction


class ProviderDeleted(Struct, frozen=True, tag_field="t", tag="provider.deleted"):
    """A provider is gone, and what it asserted no longer counts."""

    at_ms: int
    principal: str
    id: str


class TokenCreated(Struct, frozen=True, tag_field="t", tag="token.created"):
    """A new API token. The token itself is nowhere kept, only its hash."""

    at_ms: int
    id: str
    name: str
    sha256: bytes
    role: Role


DirectoryRecord = ProviderCreated | ProviderReplaced | ProviderDeleted | TokenCreated
_DIRECTORY_DECODER: msgspec.msgpack.Decoder[DirectoryRecord] = msgspec.msgpack.Decoder(DirectoryRecord)
_RISK_DECODER = msgspec.msgpack.Decoder(RiskEventsConsumed)
_RAW_EVENTS_DECODER = msgspec.msgpack.Decoder(_RawEvents)
_EVENT_DECODER = msgspec.msgpack.Decoder(ConsumedEvent)
_ENCODER = msgspec.msgpack.Encoder()


def risk_topic(provider_id: str) -> str:
    """The topic of what one provider asserts."""
    return RISK_TOPIC_PREFIX + provider_id


def encode_record(record: DirectoryRecord | RiskEventsConsumed) -> bytes:
    """The body of the entry that carries `record`."""
    return _ENCODER.encode(record)


def directory_record(entry: Entry) -> DirectoryRecord | None:
    """What `entry` says about providers or tokens, or None when it is about something else."""
    if entry.topic not in (PROVIDER_TOPIC, TOKEN_TOPIC):
        return None
    try:
        return _DIRECTORY_DECODER.decode(entry.body)
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def risk_record(entry: Entry) -> RiskEventsConsumed | None:
    """The risk events of `entry`, or None when it is about something else."""
    if not entry.topic.startswith(RISK_TOPIC_PREFIX):
        return None
    try:
        return _RISK_DECODER.decode(entry.body)
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error


def risk_message(entry: Entry, event: int, subject: int) -> str | None:
    """
    Why a subject of the risk events of `entry` is as risky as it says, or None when it had no message.

    Decodes one event and not up to 20: 5 us instead of 30.
    """
    try:
        messages = _EVENT_DECODER.decode(_RAW_EVENTS_DECODER.decode(entry.body).events[event]).messages
    except msgspec.MsgspecError as error:
        raise _unreadable(entry, error) from error
    return (messages[subject] or None) if messages is not None else None


def _unreadable(entry: Entry, error: Exception) -> OrgError:
    text = f"entry {entry.seq} ({entry.topic}) of the journal cannot be read: {error}"
    return OrgError(text, hint="the folder was written by a newer version: use that version")
