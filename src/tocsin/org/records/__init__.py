"""What the org writes to the journal, under which topics, and how that looks in bytes. A module for each kind."""

from tocsin.org.records.codec import (
    DIRECTORY_TOPICS,
    LOG_TOPIC_PREFIX,
    DirectoryRecord,
    Record,
    asserted_record,
    directory_record,
    encode_record,
    record_time_ms,
    risk_message,
    risk_record,
)
from tocsin.org.records.deed import Author, AuthorKind, Deed, Origin, local_deed, org_deed
from tocsin.org.records.providers import (
    PROVIDER_TOPIC,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
)
from tocsin.org.records.risk import (
    RISK_TOPIC_PREFIX,
    CarriedEvent,
    ConsumedEvent,
    RiskCarried,
    RiskEventsConsumed,
    risk_topic,
)
from tocsin.org.records.tokens import TOKEN_TOPIC, Role, TokenCreated, TokenRevoked

__all__ = [
    "DIRECTORY_TOPICS",
    "LOG_TOPIC_PREFIX",
    "PROVIDER_TOPIC",
    "RISK_TOPIC_PREFIX",
    "TOKEN_TOPIC",
    "Author",
    "AuthorKind",
    "CarriedEvent",
    "ConsumedEvent",
    "Deed",
    "DirectoryRecord",
    "Origin",
    "ProviderCreated",
    "ProviderDeleted",
    "ProviderReplaced",
    "Record",
    "RiskCarried",
    "RiskEventsConsumed",
    "Role",
    "TokenCreated",
    "TokenRevoked",
    "asserted_record",
    "directory_record",
    "encode_record",
    "local_deed",
    "org_deed",
    "record_time_ms",
    "risk_message",
    "risk_record",
    "risk_topic",
]
