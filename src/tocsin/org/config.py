"""The settings of an org, as a TOML file holds them. Each has its limits in its type, and a default that is right."""

from ipaddress import ip_network
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tocsin.org.policy import Policy
from tocsin.signals.limits import REQUESTS_PER_WINDOW

_Requests = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that the org takes in one window of 60 s, by bucket. Source: the rate limits page, and recordings."""

    risk_events: _Requests = REQUESTS_PER_WINDOW
    """POST /api/v1/risk/events/ip; the integration guide says 3."""
    logs: _Requests = 120
    clients: _Requests = 100
    grants: _Requests = 100
    token: _Requests = 150
    """POST /oauth2/v1/token, of each client at each address; nobody can use up the requests of others."""
    oauth: _Requests = 1200
    """Introspection and revocation, counted the same way."""
    api: _Requests = 1200
    """All else under /api/v1/."""
    principal_share_percent: Annotated[int, Meta(ge=1, le=100)] = 100
    """How much of a bucket one token or client may use; Okta's own default is 50, if it applies here is unknown."""
    concurrent: Annotated[int, Meta(ge=1, le=100_000)] = 75
    """Requests in flight at a time, over all buckets; of a fleet, at each node."""


class Http(Struct, frozen=True, forbid_unknown_fields=True):
    """Who stands between the org and its clients."""

    trusted_proxies: list[str] = []
    """Networks or addresses whose X-Forwarded-For is believed."""
    header_timeout_s: Annotated[float, Meta(ge=0.1, le=3600)] = 15.0
    """How long a connection may take over the next request's headers, or be idle."""
    body_timeout_s: Annotated[float, Meta(ge=0.1, le=3600)] = 30.0
    """How long a request's body may take to arrive."""
    connections: Annotated[int, Meta(ge=1, le=100_000)] = 2048
    """At a time; more wait until one ends. Each may hold up to 64 KiB of headers."""

    open_metrics: bool = False
    """Whether whoever asks from this machine itself is told /metrics without a token: also a proxy on it may ask."""

    def __post_init__(self) -> None:
        for network in self.trusted_proxies:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"trusted_proxies: {error}") from None


class OAuth(Struct, frozen=True, forbid_unknown_fields=True):
    """OAuth 2.0 for service apps."""

    assertion_skew_s: Annotated[int, Meta(ge=0, le=300)] = 0
    """By how much the clock of a client may be wrong; Okta allows nothing."""
    proof_skew_s: Annotated[int, Meta(ge=0, le=60)] = 5
    """By how much it may be ahead in a DPoP proof; what Okta allows is not known."""
    token_parameters_in_query: bool = True
    """Take parameters of a token request from the query too: okta-sdk-python 3.0.0 puts them there."""
    post_grants_status: Literal[200, 201] = 200
    """Of a new grant; Okta documents 201 and answers 200."""
    key_rotation_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    """How long a key signs access tokens."""


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """The check door for proxies: `GET /risk/v1/check`."""

    client_header: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")] = "x-forwarded-for"
    """Lower case. Where a trusted proxy tells the client's address; read from the right, past trusted proxies."""
    open_to_proxies: bool = False
    """Whether a peer in `http.trusted_proxies` needs no token."""
    any_path: bool = False
    """Whether any method and anything after `/risk/v1/check` will do: Envoy appends the path that was asked for."""


class Live(Struct, frozen=True, forbid_unknown_fields=True):
    """The live stream: `GET /risk/v1/stream`."""

    clients: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """At a time."""
    heartbeat_s: Annotated[float, Meta(ge=0.05, le=3600)] = 15.0
    """How long a quiet stream sends nothing."""


class LogConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The System Log."""

    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    """How long an event is shown; Okta's own."""
    show_messages: bool = False
    """Whether `riskSignalList` shows the messages of subjects; if Okta's does is unknown."""


class OrgConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One table for each concern."""

    limits: Limits = Limits()
    http: Http = Http()
    oauth: OAuth = OAuth()
    policy: Policy | None = None
    """What to do about each level, until that is changed over HTTP; see `org/policies.py`."""
    check: Check = Check()
    live: Live = Live()
    log: LogConfig = LogConfig()
