"""What the org writes to the journal, under which topics, and how that looks in bytes. A module for each kind."""

from tocsin.org.records.bouncers import BOUNCER_TOPIC, BouncerCreated, BouncerDeleted
from tocsin.org.records.branches import DIRECTORY_BRANCH, ISSUED_BRANCH, LOG_BRANCH, RISK_BRANCH
from tocsin.org.records.clients import (
    CLIENT_TOPIC,
    ClientCreated,
    ClientDeleted,
    ClientMetadata,
    ClientReplaced,
    ClientSecretRenewed,
)
from tocsin.org.records.codec import (
    DirectoryRecord,
    LogRecord,
    Record,
    asserted_record,
    directory_record,
    encode_record,
    log_record,
    record_of,
    record_time_ms,
    risk_message,
    risk_record,
)
from tocsin.org.records.deed import Author, AuthorKind, Deed, Origin, local_deed, org_deed
from tocsin.org.records.grants import GRANT_TOPIC, GrantCreated, GrantRevoked
from tocsin.org.records.issued import (
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
from tocsin.org.records.risk import (
    CarriedEvent,
    ConsumedEvent,
    RiskCarried,
    RiskEventsConsumed,
    risk_topic,
)
from tocsin.org.records.sign_ins import SIGN_IN_TOPIC, PartnerWord, SignInEvaluated, SignInUser
from tocsin.org.records.tokens import TOKEN_TOPIC, Role, TokenCreated, TokenRevoked
from tocsin.org.records.trimmed import TRIMMED_TOPIC, JournalTrimmed

__all__ = [
    "BOUNCER_TOPIC",
    "CLIENT_TOPIC",
    "DIRECTORY_BRANCH",
    "GRANT_TOPIC",
    "ISSUED_BRANCH",
    "KEY_TOPIC",
    "LOG_BRANCH",
    "POLICY_TOPIC",
    "PROVIDER_TOPIC",
    "RATE_LIMIT_TOPIC",
    "RISK_BRANCH",
    "SIGN_IN_TOPIC",
    "TOKEN_TOPIC",
    "TRIMMED_TOPIC",
    "AccessTokenIssued",
    "AccessTokenRefused",
    "AccessTokenRevoked",
    "AssertionUsed",
    "Author",
    "AuthorKind",
    "BouncerCreated",
    "BouncerDeleted",
    "CarriedEvent",
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
    "JournalTrimmed",
    "LogRecord",
    "Origin",
    "PartnerWord",
    "PolicyReplaced",
    "ProviderCreated",
    "ProviderDeleted",
    "ProviderReplaced",
    "RateLimitExceeded",
    "Record",
    "RiskCarried",
    "RiskEventsConsumed",
    "Role",
    "SignInEvaluated",
    "SignInUser",
    "SigningKeyMade",
    "TokenCreated",
    "TokenRevoked",
    "UsedAssertion",
    "asserted_record",
    "directory_record",
    "encode_record",
    "issued_topic",
    "local_deed",
    "log_record",
    "org_deed",
    "record_of",
    "record_time_ms",
    "risk_message",
    "risk_record",
    "risk_topic",
]
