"""The System Log's event, as it is on the wire. Source: spec 5.4.

Members are always there, null where nothing is known; those with a default of UNSET are left out instead.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Text = str | None
Detail = dict[str, object] | None


class Severity(StrEnum):
    """How much an event matters."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class Result(StrEnum):
    """How what an event tells of came out."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    SKIPPED = "SKIPPED"
    ALLOW = "ALLOW"
    DENY = "DENY"
    CHALLENGE = "CHALLENGE"
    UNKNOWN = "UNKNOWN"
    RATE_LIMIT = "RATE_LIMIT"
    DEFERRED = "DEFERRED"
    SCHEDULED = "SCHEDULED"
    ABANDONED = "ABANDONED"
    UNANSWERED = "UNANSWERED"


class _Part(Struct, frozen=True, rename="camel"):
    pass


class Actor(_Part, frozen=True):
    """Who did it."""

    id: str
    type: str
    alternate_id: Text
    display_name: Text
    detail_entry: Detail = None


class Change(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """What a target was and is."""

    before: dict[str, object]
    after: dict[str, object]


class Target(_Part, frozen=True):
    """What it was done to."""

    id: str
    type: str
    alternate_id: Text
    display_name: Text
    detail_entry: Detail = None
    change_details: Change | UnsetType = UNSET


class UserAgent(_Part, frozen=True):
    """What the client calls itself, and what can be told from that."""

    raw_user_agent: Text
    os: str
    browser: str


class Client(_Part, frozen=True):
    """Where it was done from."""

    user_agent: UserAgent
    zone: str
    device: str
    id: Text
    """Of the OAuth client."""
    ip_address: Text
    geographical_context: Detail


class Issuer(_Part, frozen=True):
    """Who vouches for the actor."""

    id: str
    type: str


class AuthenticationContext(_Part, frozen=True):
    """How the actor was authenticated."""

    authentication_provider: Text
    credential_provider: Text
    credential_type: Text
    issuer: Issuer | None
    interface: Text
    authentication_step: int
    root_session_id: Text
    external_session_id: Text


class Outcome(_Part, frozen=True):
    """How it came out, and why."""

    result: Result
    reason: Annotated[str, Meta(max_length=255)] | None = None


class Risk(_Part, frozen=True):
    """How risky a sign-in was."""

    level: str
    reasons: list[str] = []
    previous_level: str | UnsetType = UNSET
    detection_name: str | UnsetType = UNSET
    issuer: str | UnsetType = UNSET


class SecurityContext(_Part, frozen=True):
    """What is known about the client's address; the org asks nobody about it."""

    as_number: int | None = None
    as_org: Text = None
    isp: Text = None
    domain: Text = None
    is_proxy: bool | None = None
    risk: Risk | UnsetType = UNSET


class DebugContext(_Part, frozen=True):
    """What explains the event. Values are strings, also numbers and booleans."""

    debug_data: dict[str, str]


class Transaction(_Part, frozen=True):
    """The request it was done with."""

    type: str
    id: str
    detail: dict[str, str]


class Hop(_Part, frozen=True):
    """One address that a request came from."""

    ip: str
    geographical_context: Detail
    version: str
    source: Text


class RequestChain(_Part, frozen=True):
    """The addresses that a request came from."""

    ip_chain: list[Hop]


class LogEvent(_Part, frozen=True):
    """One event of the System Log."""

    actor: Actor
    client: Client | None
    device: None
    authentication_context: AuthenticationContext
    display_message: Text
    event_type: str
    outcome: Outcome
    published: str
    security_context: SecurityContext
    severity: Severity
    debug_context: DebugContext
    legacy_event_type: Text
    transaction: Transaction
    uuid: str
    version: str
    request: RequestChain
    target: list[Target] | None
