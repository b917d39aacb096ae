"""The JSON that the doors answer with."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tocsin.org.policy import Ruling
from tocsin.org.providers import Provider
from tocsin.org.verdict import Verdict
from tocsin.signals import RiskLevel, RiskProviderAction, format_timestamp, from_ms, ip_text
from tocsin.signals.providers import NO_CLIENT_ID

PROVIDERS_PATH = "/api/v1/risk/providers"
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class ProviderView(Struct, frozen=True, rename="camel"):
    """A risk provider. Source: the risk providers API page; all fields are always there."""

    id: str
    name: str
    client_id: str
    """The string "null" for a provider of no client: so it is printed, and okta-sdk-python refuses a JSON null."""
    action: RiskProviderAction
    created: Moment
    last_updated: Moment
    links: dict[str, Any] = field(name="_links")


class JournalPlace(Struct, frozen=True):
    """Where in the journal something stands."""

    seq: int
    event: int
    subject: int


class ProviderWordView(Struct, frozen=True, omit_defaults=True):
    """What one provider says about an IP."""

    id: str
    name: str
    action: RiskProviderAction
    level: RiskLevel
    message: str | None
    observed: Moment
    expires: Moment
    journal: JournalPlace
    expired: bool = False


class IpView(Struct, frozen=True, rename="camel"):
    """How risky an IP is now, and why."""

    ip: str
    level: RiskLevel | None
    effective_level: RiskLevel | None
    until: str | None
    """Until when the effective level stands, if nobody says more."""
    policy: Ruling
    """What the policy says, and by which rule."""
    providers: list[ProviderWordView]
    cursor: int
    """Seq of the last journal entry that is in this answer."""


def provider_view(provider: Provider, base_url: str) -> ProviderView:
    """`provider` as seen from `base_url`."""
    href = f"{base_url}{PROVIDERS_PATH}/{provider.id}"
    return ProviderView(
        id=provider.id,
        name=provider.name,
        client_id=provider.client_id or NO_CLIENT_ID,
        action=provider.action,
        created=time_text(provider.created_ms),
        last_updated=time_text(provider.updated_ms),
        links={"self": {"href": href, "hints": {"allow": ["GET", "PUT", "DELETE"]}}},
    )


def ip_view(key: bytes, verdict: Verdict) -> IpView:
    """The answer about the IP of a 16-byte `key`."""
    words = []
    for word in verdict.words:
        said = word.assertion
        provider = verdict.providers[said.provider_id]
        words.append(
            ProviderWordView(
                id=provider.id,
                name=provider.name,
                action=word.action,
                level=RiskLevel.of_severity(said.severity),
                message=verdict.messages[said.provider_id],
                observed=time_text(said.observed_ms),
                expires=time_text(said.expires_ms),
                journal=JournalPlace(said.seq, said.event, said.subject),
                expired=word.expired,
            )
        )
    return IpView(
        ip=ip_text(key),
        level=verdict.level,
        effective_level=verdict.effective_level,
        until=None if verdict.until_ms is None else time_text(verdict.until_ms),
        policy=verdict.ruling,
        providers=words,
        cursor=verdict.cursor,
    )


def time_text(ms: int) -> str:
    """The wire form of epoch milliseconds."""
    return format_timestamp(from_ms(ms))
