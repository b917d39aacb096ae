"""One IP address of a risk event.

A full request has a thousand of these, so this model alone is a msgspec struct: it is made ten times as fast as the
others, and goes into the body of a request as it is.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from msgspec import Struct
from msgspec import field as struct_field

from tocsin.okta.models.json_object import Field, JsonObject
from tocsin.okta.models.risk_event_subject_risk_level import RiskEventSubjectRiskLevel

__all__ = ["RiskEventSubject"]

_LEVELS: dict[str, RiskEventSubjectRiskLevel] = {level.value: level for level in RiskEventSubjectRiskLevel}


class RiskEventSubject(JsonObject, Struct, kw_only=True, rename="camel", omit_defaults=True, gc=False, eq=False):
    """One IP address and how risky it is."""

    ip: str | None = None
    risk_level: RiskEventSubjectRiskLevel | str | None = None
    message: str | None = None
    riskLevel: RiskEventSubjectRiskLevel | str | None = struct_field(default=None, name="_spelling")  # noqa: N815
    """The other spelling of `risk_level`, for the constructor and for whoever reads or sets it."""

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "ip": Field("str", name="ip", description="The IPv4 or IPv6 address: one address, not a network"),
        "message": Field(
            "str",
            name="message",
            description="More about the reason: at most 512 letters, digits, blanks, `.`, `-` and `_`",
            notes="[optional]",
        ),
        "risk_level": Field("RiskEventSubjectRiskLevel", name="risk_level"),
    }

    def __post_init__(self) -> None:
        other = _spelling.__get__(self)
        if other is not None:
            self.risk_level = other
            _spelling.__set__(self, None)
        if type(self.risk_level) is str:
            self.risk_level = _LEVELS.get(self.risk_level, self.risk_level)

    @classmethod
    def _of(cls, obj: Mapping[str, Any]) -> Self:
        return cls(**{name: value for name, value in obj.items() if name in _SPELLINGS})


_SPELLINGS = frozenset({"ip", "message", "risk_level", "riskLevel"})
# The constructor fills the slot of the struct; from then on the name leads to `risk_level`.
_spelling: Any = vars(RiskEventSubject)["riskLevel"]
RiskEventSubject.riskLevel = property(  # type: ignore[assignment]
    lambda subject: subject.risk_level,
    lambda subject, level: setattr(subject, "risk_level", level),
)
