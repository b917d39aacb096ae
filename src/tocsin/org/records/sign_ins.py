"""Records of sign-ins: what was asked about one, and what the org answered."""

from msgspec import Struct

from tocsin.org.policy import Action
from tocsin.org.records.deed import Deed
from tocsin.signals import RiskLevel

SIGN_IN_TOPIC = "log.sign-in"


class SignInUser(Struct, frozen=True, array_like=True):
    """Who signs in, as the asking system names them."""

    id: str
    login: str
    name: str


class PartnerWord(Struct, frozen=True, array_like=True):
    """What one enforcing provider said about the IP at that moment."""

    provider_id: str
    provider_name: str
    level: RiskLevel
    message: str | None


class SignInEvaluated(Struct, frozen=True, tag_field="t", tag="log.sign-in"):
    """A sign-in was evaluated. What is in it is that of then: neither later events nor policies change a log."""

    deed: Deed
    id: str
    """Told in the answer."""
    user: SignInUser
    ip: str
    user_agent: str
    success: bool
    """Whether the asking system's own checks were passed, such as that of a password."""
    effective_level: RiskLevel | None
    action: Action
    rule: str
    partners: list[PartnerWord]
    """Most dangerous first."""
    logged: list[PartnerWord]
    """The same of providers whose word is only logged."""
