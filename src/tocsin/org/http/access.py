"""Who may knock at which door, and from which budget it is paid: one table. Source: spec 1, 2.6, 4.1, 4.2, 5.1."""

from typing import NamedTuple

from tocsin.org.principals import Need
from tocsin.org.records import Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_ANY = frozenset(Role)
_ADMIN = frozenset({Role.SUPER_ADMIN})
_PROVIDERS = frozenset({Role.SUPER_ADMIN, Role.PROVIDER_ADMIN})
_READ_RISK = Need("tocsin.risk.read", _ANY)


class Area(NamedTuple):
    """What holds for all paths that begin with `prefix`; of several the longest counts."""

    prefix: str
    read: Need
    manage: Need
    bucket: str | None = None
    """Name of a field of `Limits`; None for paths of our own, which are not limited."""
    tells_decisions: bool = False
    """Whether nothing is done here but tell decisions: a node does that from what it has, also when it is alone."""

    def need(self, method: str) -> Need:
        """What a request with `method` needs."""
        return self.read if method in SAFE_METHODS else self.manage


AREAS = (
    Area(
        "/api/v1/risk/events/ip",
        read=Need("okta.riskEvents.manage", _PROVIDERS),
        manage=Need("okta.riskEvents.manage", _PROVIDERS),
        bucket="risk_events",
    ),
    Area(
        "/api/v1/risk/providers",
        read=Need("okta.riskProviders.read", _ANY),
        manage=Need("okta.riskProviders.manage", _PROVIDERS),
        bucket="api",
    ),
    # What a client is made with has a scope of its own; all else about one lies below.
    Area(
        "/oauth2/v1/clients",
        read=Need("okta.clients.read", _ANY),
        manage=Need("okta.clients.register", _ADMIN),
        bucket="clients",
    ),
    Area(
        "/oauth2/v1/clients/",
        read=Need("okta.clients.read", _ANY),
        manage=Need("okta.clients.manage", _ADMIN),
        bucket="clients",
    ),
    Area(
        "/api/v1/apps/",
        read=Need("okta.appGrants.read", _ANY),
        manage=Need("okta.appGrants.manage", _ADMIN),
        bucket="grants",
    ),
    # These find out by themselves who asks.
    Area("/oauth2/v1/token", read=Need(None, _ANY), manage=Need(None, _ANY), bucket="token"),
    Area("/oauth2/v1/introspect", read=Need(None, _ANY), manage=Need(None, _ANY), bucket="oauth"),
    Area("/oauth2/v1/revoke", read=Need(None, _ANY), manage=Need(None, _ANY), bucket="oauth"),
    Area("/api/v1/logs", read=Need("okta.logs.read", _ANY), manage=Need(None, _ADMIN), bucket="logs"),
    Area("/api/v1/", read=Need(None, _ANY), manage=Need(None, _ADMIN), bucket="api"),
    Area("/risk/v1/check", read=_READ_RISK, manage=_READ_RISK, tells_decisions=True),
    Area("/risk/v1/ips", read=_READ_RISK, manage=_READ_RISK, tells_decisions=True),
    Area("/risk/v1/stream", read=_READ_RISK, manage=Need(None, _ADMIN), tells_decisions=True),
    Area("/risk/v1/sign-ins", read=Need(None, _ADMIN), manage=Need("tocsin.signIns.manage", _PROVIDERS)),
    Area("/risk/v1/", read=_READ_RISK, manage=Need(None, _ADMIN)),
    Area("/", read=Need(None, _ANY), manage=Need(None, _ADMIN)),
)
SCOPES = frozenset(need.scope for area in AREAS for need in (area.read, area.manage) if need.scope is not None)
"""All that a service app may be granted."""
_LONGEST_FIRST = sorted(AREAS, key=lambda area: -len(area.prefix))


def area_of(path: str) -> Area:
    """The area of `path`: there is one for every path."""
    return next((area for area in _LONGEST_FIRST if path.startswith(area.prefix)), _LONGEST_FIRST[-1])
