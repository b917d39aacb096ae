"""Which events of the System Log a journal record is, and what it names: one `case` for each kind. Pure.

What a kind looks like stands in `kinds`, a module for each module of `org/records`. When records that are in journals
already become other events than before, `index.LAYOUT` has to change, so that the index is made again.
"""

from collections.abc import Iterator

from tocsin.org.log.draft import Draft, Known, Named
from tocsin.org.log.kinds import oauth
from tocsin.org.log.kinds.bouncers import bouncer_created, bouncer_deleted
from tocsin.org.log.kinds.policy import policy_replaced
from tocsin.org.log.kinds.providers import provider_created, provider_deleted, provider_replaced
from tocsin.org.log.kinds.rate_limit import rate_limit_exceeded
from tocsin.org.log.kinds.risk import risk_events_consumed
from tocsin.org.log.kinds.sign_ins import sign_in_evaluated
from tocsin.org.log.kinds.tokens import token_created, token_revoked
from tocsin.org.records import (
    AccessTokenIssued,
    AccessTokenRefused,
    AccessTokenRevoked,
    AssertionUsed,
    BouncerCreated,
    BouncerDeleted,
    ClientCreated,
    ClientDeleted,
    ClientReplaced,
    ClientSecretRenewed,
    GrantCreated,
    GrantRevoked,
    JournalTrimmed,
    PolicyReplaced,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
    RateLimitExceeded,
    Record,
    RiskCarried,
    RiskEventsConsumed,
    SignInEvaluated,
    SigningKeyMade,
    TokenCreated,
    TokenRevoked,
)
from tocsin.org.records.clients import ClientRecord
from tocsin.org.records.grants import GrantRecord


def drafts(record: Record, known: Known, *, show_messages: bool = False) -> list[Draft]:
    """
    The events that `record` is, always the same in the same order; at most `MOST_EVENTS`.

    Args:
        known: what things were before this record.
        show_messages: whether the messages of risk events are shown (U: not public).
    """
    match record:
        case RiskEventsConsumed():
            return risk_events_consumed(record, known, show_messages=show_messages)
        case ProviderCreated():
            return [provider_created(record)]
        case ProviderReplaced():
            return [provider_replaced(record, known)]
        case ProviderDeleted():
            return [provider_deleted(record, known)]
        case TokenCreated():
            return [token_created(record)]
        case TokenRevoked():
            return [token_revoked(record, known)]
        case PolicyReplaced():
            return [policy_replaced(record)]
        case BouncerCreated():
            return [bouncer_created(record)]
        case BouncerDeleted():
            return [bouncer_deleted(record, known)]
        case RateLimitExceeded():
            return [rate_limit_exceeded(record)]
        case SignInEvaluated():
            return sign_in_evaluated(record)
        case SigningKeyMade():
            return [oauth.signing_key_made(record)]
        case RiskCarried():
            return []  # it was shown when its provider said it
        case JournalTrimmed():
            return []  # of the journal's own upkeep
        case AssertionUsed():
            return []  # what it was used for shows, where it changed something
        case AccessTokenIssued() | AccessTokenRefused() | AccessTokenRevoked():
            return [_token_draft(record)]
        case _:
            return [_client_draft(record, known)]


def _token_draft(record: AccessTokenIssued | AccessTokenRefused | AccessTokenRevoked) -> Draft:
    match record:
        case AccessTokenIssued():
            return oauth.access_token_issued(record)
        case AccessTokenRefused():
            return oauth.access_token_refused(record)
        case AccessTokenRevoked():
            return oauth.access_token_revoked(record)


def _client_draft(record: ClientRecord | GrantRecord, known: Known) -> Draft:
    match record:
        case ClientCreated():
            return oauth.client_created(record)
        case ClientReplaced():
            return oauth.client_replaced(record)
        case ClientSecretRenewed():
            return oauth.client_secret_renewed(record, known)
        case ClientDeleted():
            return oauth.client_deleted(record)
        case GrantCreated():
            return oauth.grant_created(record, known)
        case GrantRevoked():
            return oauth.grant_revoked(record, known)


def names(record: Record) -> Iterator[tuple[str, Named]]:
    """Ids of what `record` names, with what that is called and set to from now on: later events look it up."""
    match record:
        case ProviderCreated() | ProviderReplaced():
            yield record.id, Named(record.name, record.action)
        case TokenCreated():
            yield record.id, Named(record.name, record.role)
        case ClientCreated() | ClientReplaced():
            yield record.id, Named(record.metadata.client_name)
        case BouncerCreated():
            yield record.id, Named(record.name)
