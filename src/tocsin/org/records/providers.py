"""Records of risk providers."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed
from tocsin.signals import RiskProviderAction

PROVIDER_TOPIC = DIRECTORY_BRANCH + "provider"


class ProviderCreated(Struct, frozen=True, tag_field="t", tag="provider.created"):
    """A new risk provider."""

    deed: Deed
    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction
    is_default: bool


class ProviderReplaced(Struct, frozen=True, tag_field="t", tag="provider.replaced"):
    """A provider's writable fields were replaced."""

    deed: Deed
    id: str
    name: str
    client_id: str | None
    action: RiskProviderAction


class ProviderDeleted(Struct, frozen=True, tag_field="t", tag="provider.deleted"):
    """A provider is gone, and what it asserted no longer counts."""

    deed: Deed
    id: str


ProviderRecord = ProviderCreated | ProviderReplaced | ProviderDeleted
