"""What the org does about an IP: maps how risky it is to allow, challenge or deny. Pure.

The rules, in order; the first that fits counts:

1. An IP in a network that is always allowed is allowed, whatever is said about it.
2. An IP with an effective level gets what the policy says for that level.
3. All others are allowed.

The effective level is what `decision` makes of all providers; the policy never looks at a provider.
"""

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from msgspec import Meta, Struct

from tocsin.signals import RiskLevel, ip_key

_NETWORKS = 1000
_KEY_BITS = 128
_MAPPED_BITS = 96  # an IPv4 network is one of IPv4-mapped IPv6 addresses: see `signals.ip`

DecisionType = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""What a CrowdSec bouncer is told to do: `ban` and `captcha` are what they all know."""


class Action(StrEnum):
    """What to do with a request."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    DENY = "deny"


class CrowdsecTypes(Struct, frozen=True, forbid_unknown_fields=True):
    """What CrowdSec bouncers are told. For `allow` they are told nothing."""

    deny: DecisionType = "ban"
    challenge: DecisionType = "captcha"

    def of(self, action: Action) -> str | None:
        """The type of decision that `action` is; None for none."""
        match action:
            case Action.DENY:
                return self.deny
            case Action.CHALLENGE:
                return self.challenge
            case Action.ALLOW:
                return None


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do about each level. The same in a configuration file and on the wire."""

    high: Action = Action.DENY
    medium: Action = Action.CHALLENGE
    low: Action = Action.ALLOW
    allowed: Annotated[list[str], Meta(max_length=_NETWORKS)] = []
    """Networks that are always allowed, such as `192.0.2.0/24`."""
    unanswered: Action = Action.DENY
    """What the check door says when it cannot be known how risky an IP is: `allow` fails open, `deny` closed."""
    crowdsec: CrowdsecTypes = CrowdsecTypes()

    def __post_init__(self) -> None:
        for network in self.allowed:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"allowed: {error}") from None

    def for_level(self, level: RiskLevel) -> Action:
        """What to do about an IP of this effective level."""
        match level:
            case RiskLevel.HIGH:
                return self.high
            case RiskLevel.MEDIUM:
                return self.medium
            case RiskLevel.LOW:
                return self.low


class Ruling(Struct, frozen=True):
    """What the policy says about one IP, and by which rule."""

    action: Action
    rule: str
    """`allowed 192.0.2.0/24`, `level HIGH`, or `default`."""


class Rules:
    """A policy made ready to be applied: one dictionary look-up for each length of an always allowed network."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        weakest_first = [None, *(policy.crowdsec.of(action) for action in (policy.low, policy.medium, policy.high))]
        self._types = tuple(weakest_first)
        self._networks: dict[int, dict[int, str]] = {}
        for text in policy.allowed:
            network = ip_network(text)
            v4 = network.version == 4
            shift = _KEY_BITS - network.prefixlen - (_MAPPED_BITS if v4 else 0)
            first = int.from_bytes(ip_key(str(network.network_address)))
            self._networks.setdefault(shift, {})[first >> shift] = text

    def rule_on(self, key: bytes, effective_level: RiskLevel | None) -> Ruling:
        """What to do about the IP of a 16-byte `key`: the rules of this module."""
        if self._networks and (network := self.allowed_by(key)) is not None:
            return Ruling(Action.ALLOW, f"allowed {network}")
        if effective_level is None:
            return _DEFAULT
        return Ruling(self.policy.for_level(effective_level), f"level {effective_level}")

    def decision_type(self, key: bytes, severity: int) -> str | None:
        """What a bouncer is told about an IP whose effective level has this severity; None for nothing."""
        if self._networks and self.allowed_by(key) is not None:
            return None
        return self._types[severity]

    def types(self) -> list[str]:
        """All types of decision that bouncers are told, strongest first."""
        return list(dict.fromkeys(name for name in reversed(self._types) if name is not None))

    def allowed_by(self, key: bytes) -> str | None:
        """The always allowed network that the IP of a 16-byte `key` is in, the smallest of several; None for none."""
        number = int.from_bytes(key)
        for shift in sorted(self._networks):
            if (network := self._networks[shift].get(number >> shift)) is not None:
                return network
        return None

    def unanswered(self) -> Ruling:
        """What to do when it cannot be known how risky an IP is."""
        return Ruling(self.policy.unanswered, "unanswered")


_DEFAULT = Ruling(Action.ALLOW, "default")
