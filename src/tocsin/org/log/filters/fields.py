"""Which members of an event a filter may ask for, and how it may spell them. Pure. Source: spec 5.3, 5.4."""

import re
from collections.abc import Mapping

from tocsin.org.log.filters.syntax import Operator, Path

_ANY: None = None
"""A map whose names are free."""
_LEAF: Mapping[str, object] = {}


def _leaves(names: str) -> dict[str, object]:
    return dict.fromkeys(names.split(), _LEAF)


_PLACE = {**_leaves("city state country postalCode"), "geolocation": _leaves("lat lon")}
_THING = {**_leaves("id type alternateId displayName"), "detailEntry": _ANY}
_MEMBERS: Mapping[str, object] = {
    **_leaves("uuid eventType version severity legacyEventType displayMessage"),
    "actor": _THING,
    "client": {
        "userAgent": _leaves("rawUserAgent os browser"),
        "geographicalContext": _PLACE,
        **_leaves("zone device id ipAddress"),
    },
    "device": _ANY,
    "authenticationContext": {
        **_leaves(
            "authenticationProvider credentialProvider credentialType interface authenticationStep"
            " externalSessionId rootSessionId"
        ),
        "issuer": _leaves("id type"),
    },
    "outcome": _leaves("result reason"),
    "target": _THING,  # its changeDetails cannot be asked for, and neither can published
    "transaction": {**_leaves("type id"), "detail": _ANY},
    "debugContext": {"debugData": _ANY},
    "securityContext": {
        **_leaves("asNumber asOrg isp domain isProxy"),
        **dict.fromkeys(("ipDetails", "risk", "userBehaviors", "botProtection"), _ANY),
    },
    "request": {"ipChain": {**_leaves("ip version source"), "geographicalContext": _PLACE, "ipDetails": _ANY}},
}
_NOT_SEARCHED = frozenset(("debugContext", "debugData", name) for name in ("url", "requestUri"))
_SNAKE = re.compile("_([a-z])")


def resolve(names: Path) -> Path | None:
    """
    The member that `names` name, spelt as events spell it, or None when there is no such one.

    Each name may be spelt in snake_case too (event_type). In a map whose names are free every name is one, and is taken
    in either spelling when the event is looked at.
    """
    known: object = _MEMBERS
    resolved = []
    for name in names:
        if not isinstance(known, Mapping):
            resolved.append(name)
            continue
        spelt = name if name in known else camel(name)
        if spelt not in known:
            return None
        resolved.append(spelt)
        known = known[spelt]
    return tuple(resolved)


def refuses(path: Path, operator: Operator) -> bool:
    """Whether the member at `path` cannot be compared with `operator`."""
    return operator is Operator.CO and tuple(map(camel, path)) in _NOT_SEARCHED


def camel(name: str) -> str:
    """`debug_data` as `debugData`."""
    return _SNAKE.sub(lambda match: match[1].upper(), name)
