"""Changes of risk providers in the System Log.

How Okta calls them is not public (U): the names follow what its catalogue has for security events providers.
"""

from msgspec import UNSET

from tocsin.org.log.draft import UNKNOWN, Draft, Known, Named, drafted
from tocsin.org.log.event import Change, Target
from tocsin.org.records import ProviderCreated, ProviderDeleted, ProviderReplaced


def provider_created(record: ProviderCreated) -> Draft:
    """A new provider."""
    target = provider_target(record.id, record.name)
    return drafted(record.deed, "security.events.provider.create", "Create risk provider", target)


def provider_replaced(record: ProviderReplaced, known: Known) -> Draft:
    """Name or action of a provider were set."""
    after = Named(record.name, record.action)
    target = provider_target(record.id, record.name, before=known(record.id), after=after)
    return drafted(record.deed, "security.events.provider.update", "Update risk provider", target)


def provider_deleted(record: ProviderDeleted, known: Known) -> Draft:
    """A provider is gone."""
    target = provider_target(record.id, (known(record.id) or UNKNOWN).name)
    return drafted(record.deed, "security.events.provider.delete", "Delete risk provider", target)


def provider_target(provider_id: str, name: str, *, before: Named | None = None, after: Named | None = None) -> Target:
    """The provider as what something was done to, with what changed when both sides are known."""
    changed = Change(_settings(before), _settings(after)) if before and after else UNSET
    return Target(provider_id, "RiskProvider", "unknown", name, change_details=changed)


def _settings(provider: Named) -> dict[str, object]:
    return {"name": provider.name, "action": provider.state}
