"""Who may knock at which door, and from which budget it is paid: one table. Source: spec 1, 2.6, 4.1, 4.2, 5.1."""

from typing import NamedTuple

from tocsin.org.principals import Need
from tocsin.org.records import Role

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Paths that ask for no authorization and count in no bucket."""

_ANY = frozenset(Role)
_ADMIN = frozenset({Role.SUPER_ADMIN})
_PROVIDERS = frozenset({Role.SUPER_ADMIN, Role.PROVIDER_ADMIN})


class Area(NamedTuple):
    """What holds for all paths that begin with `prefix`; of several the longest counts."""

    prefix: str
    read: Need
    manage: Need
    bucket: str | None = None
    """Name of a field of `Limits`; None for paths of our own, which are not limited."""

    def need(self, method: str) -> Need:
        """What a request with `method` needs."""
        return self.read if method in SAFE_METHODS else self.manage


AREAS = (
    Area(
        "/api/v1/risk/events/ip",
        read=Need(None, _PROVIDERS),
        manage=Need("okta.riskEvents.manage", _PROVIDERS),
        bucket="risk_events",
    ),
    Area(
        "/api/v1/risk/providers",
        read=Need("okta.riskProviders.read", _ANY),
        manage=Need("okta.riskProviders.manage", _PROVIDERS),
        bucket="api",
    ),
    Area("/api/v1/logs", read=Need("okta.logs.read", _ANY), manage=Need(None, _ADMIN), bucket="logs"),
    Area("/api/v1/", read=Need(None, _ANY), manage=Need(None, _ADMIN), bucket="api"),
    Area("/risk/v1/check", read=Need("tocsin.risk.read", _ANY), manage=Need("tocsin.risk.read", _ANY)),
    Area("/risk/v1/ips", read=Need("tocsin.risk.read", _ANY), manage=Need("tocsin.risk.read", _ANY)),
    Area("/risk/v1/sign-ins", read=Need(None, _ADMIN), manage=Need("tocsin.signIns.manage", _PROVIDERS)),
    Area("/risk/v1/", read=Need("tocsin.risk.read", _ANY), manage=Need(None, _ADMIN)),
    Area("/", read=Need(None, _ANY), manage=Need(None, _ADMIN)),
)
_LONGEST_FIRST = sorted(AREAS, key=lambda area: -len(area.prefix))


def area_of(path: str) -> Area:
    """The area of `path`: there is one for every path."""
    return next((area for area in _LONGEST_FIRST if path.startswith(area.prefix)), _LONGEST_FIRST[-1])
