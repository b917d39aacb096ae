"""What the org writes to the journal, under which topics, and how that looks in bytes. A module for each kind."""

from tocsin.org.records.bouncers import BOUNCER_TOPIC, BouncerCreated, BouncerDeleted
from tocsin.org.records.clients import (
    CLIENT_TOPIC,
    ClientCreated,
    ClientDeleted,
    ClientMetadata,
    ClientReplaced,
    ClientSecretRenewed,
)
from tocsin.org.records.codec import (
    DIRECTORY_TOPICS,
    LOG_TOPIC_PREFIX,
    DirectoryRecord,
    LogRecord,
    Record,
    directory_record,
    encode_record,
    log_record,
    record_of,
    risk_message,
    risk_record,
)
from tocsin.org.records.deed import Author, AuthorKind, Deed, Origin, local_deed, org_deed
from tocsin.org.records.grants import GRANT_TOPIC, GrantCreated, GrantRevoked
from tocsin.org.records.issued import (
    ISSUED_TOPIC_PREFIX,
    AccessTokenIssued,
    AccessTokenRefused,
    AccessTokenRevoked,
    AssertionUsed,
    UsedAssertion,
    issued_topic,
)
from tocsin.org.records.keys import KEY_TOPIC, SigningKeyMade
from tocsin.org.records.policy import POLICY_TOPIC, PolicyReplaced
from tocsin.org.records.providers import (
    PROVIDER_TOPIC,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
)
from tocsin.org.records.rate_limit import RATE_LIMIT_TOPIC, RateLimitExceeded
from tocsin.org.records.risk import RISK_TOPIC_PREFIX, ConsumedEvent, RiskEventsConsumed, risk_topic
from tocsin.org.records.sign_ins import SIGN_IN_TOPIC, PartnerWord, SignInEvaluated, SignInUser
from tocsin.org.records.tokens import TOKEN_TOPIC, Role, TokenCreated, TokenRevoked

__all__ = [
    "BOUNCER_TOPIC",
    "CLIENT_TOPIC",
    "DIRECTORY_TOPICS",
    "GRANT_TOPIC",
    "ISSUED_TOPIC_PREFIX",
    "KEY_TOPIC",
    "LOG_TOPIC_PREFIX",
    "POLICY_TOPIC",
    "PROVIDER_TOPIC",
    "RATE_LIMIT_TOPIC",
    "RISK_TOPIC_PREFIX",
    "SIGN_IN_TOPIC",
    "TOKEN_TOPIC",
    "AccessTokenIssued",
    "AccessTokenRefused",
    "AccessTokenRevoked",
    "AssertionUsed",
    "Author",
    "AuthorKind",
    "BouncerCreated",
    "BouncerDeleted",
    "ClientCreated",
    "ClientDeleted",
    "ClientMetadata",
    "ClientReplaced",
    "ClientSecretRenewed",
    "ConsumedEvent",
    "Deed",
    "DirectoryRecord",
    "GrantCreated",
    "GrantRevoked",
    "LogRecord",
    "Origin",
    "PartnerWord",
    "PolicyReplaced",
    "ProviderCreated",
    "ProviderDeleted",
    "ProviderReplaced",
    "RateLimitExceeded",
    "Record",
    "RiskEventsConsumed",
    "Role",
    "SignInEvaluated",
    "SignInUser",
    "SigningKeyMade",
    "TokenCreated",
    "TokenRevoked",
    "UsedAssertion",
    "directory_record",
    "encode_record",
    "issued_topic",
    "local_deed",
    "log_record",
    "org_deed",
    "record_of",
    "risk_message",
    "risk_record",
    "risk_topic",
]
