"""Who sends risk events, and what the org does with them."""

from datetime import datetime
from typing import Any

from tocsin.okta.models.links_self import LinksSelf
from tocsin.okta.models.model import Model, as_model, as_moment, field
from tocsin.okta.models.risk_provider_action import RiskProviderAction
from tocsin.okta.models.word import as_word

__all__ = ["RiskProvider"]


def _client_id(value: Any) -> Any:
    # The provider an org starts with is printed with the string "null" for an id that is not there.
    return None if value == "null" else value


class RiskProvider(Model):
    """Who sends risk events, and what the org does with them."""

    action: RiskProviderAction | str = field(
        "RiskProviderAction",
        read=as_word(RiskProviderAction),
        default=RiskProviderAction.LOG_ONLY,
        notes="[default to RiskProviderAction.LOG_ONLY]",
    )
    client_id: str | None = field(
        "str", default=None, description="The id of the OAuth service app that sends the risk events", read=_client_id
    )
    created: datetime | str | None = field(
        "datetime",
        default=None,
        description="When the provider was made",
        read=as_moment,
        notes="[optional] [readonly]",
    )
    id: str | None = field(
        "str", default=None, description="The id of the provider, given by the org", notes="[readonly]"
    )
    last_updated: datetime | str | None = field(
        "datetime",
        default=None,
        description="When the provider was last changed",
        read=as_moment,
        notes="[optional] [readonly]",
    )
    name: str | None = field(
        "str", default=None, description="The name of the provider: unique in its org, at most 50 characters"
    )
    links: LinksSelf | None = field(
        "LinksSelf", default=None, read=as_model(LinksSelf), wire="_links", notes="[optional]"
    )
