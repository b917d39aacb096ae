"""GET, POST /api/v1/risk/providers and GET, PUT, DELETE /api/v1/risk/providers/{id}. Source: spec 1.2."""

from typing import Any

from litestar import Request, Router, delete, get, post, put
from litestar.params import FromPath

from tocsin.org.changes import NameTaken
from tocsin.org.http.errors import Refusal, invalid, resource_not_found, validation_failed
from tocsin.org.http.exchange import exchange_of
from tocsin.org.http.views import PROVIDERS_PATH, ProviderView, provider_view
from tocsin.org.org import Org
from tocsin.org.providers import Provider, ProviderUnknown, TooManyProviders
from tocsin.signals import InvalidSignals, RiskProvider, decode_provider
from tocsin.signals.limits import PROVIDERS_PER_ORG

_TAKEN = "An object with this field already exists in the current organization"
_TYPE = "RiskProvider"  # U: the class name in the 404 of a risk provider is not public


def provider_routes(org: Org, base_url: str) -> Router:
    """The doors to the providers of `org`, whose links begin with `base_url`."""

    @get("/")
    async def list_risk_providers() -> list[ProviderView]:
        return [provider_view(provider, base_url) for provider in org.providers.all()]

    @post("/")
    async def create_risk_provider(request: Request[Any, Any, Any]) -> ProviderView:
        wanted = await _wanted(request)
        try:
            created = await org.providers.create(wanted, deed=exchange_of(request).deed())
        except (NameTaken, TooManyProviders) as error:
            raise _refusal(error) from error
        return provider_view(created, base_url)

    @get("/{provider_id:str}")
    async def get_risk_provider(provider_id: FromPath[str]) -> ProviderView:
        return provider_view(_found(org, provider_id), base_url)

    @put("/{provider_id:str}")
    async def replace_risk_provider(request: Request[Any, Any, Any], provider_id: FromPath[str]) -> ProviderView:
        known = _found(org, provider_id)
        wanted = await _wanted(request, client_id_needed=known.client_id is not None)
        try:
            replaced = await org.providers.replace(provider_id, wanted, deed=exchange_of(request).deed())
        except (NameTaken, ProviderUnknown) as error:
            raise _refusal(error) from error
        return provider_view(replaced, base_url)

    @delete("/{provider_id:str}")
    async def delete_risk_provider(request: Request[Any, Any, Any], provider_id: FromPath[str]) -> None:
        try:
            await org.providers.delete(provider_id, deed=exchange_of(request).deed())
        except ProviderUnknown as error:
            raise _refusal(error) from error

    handlers = [
        list_risk_providers,
        create_risk_provider,
        get_risk_provider,
        replace_risk_provider,
        delete_risk_provider,
    ]
    return Router(PROVIDERS_PATH, route_handlers=handlers)


async def _wanted(request: Request[Any, Any, Any], *, client_id_needed: bool = True) -> RiskProvider:
    try:
        return decode_provider(await exchange_of(request).json_body(), client_id_needed=client_id_needed)
    except InvalidSignals as error:
        raise invalid(error.problems) from error


def _found(org: Org, provider_id: str) -> Provider:
    provider = org.providers.get(provider_id)
    if provider is None:
        raise resource_not_found(provider_id, _TYPE)
    return provider


def _refusal(error: NameTaken | TooManyProviders | ProviderUnknown) -> Refusal:
    match error:
        case NameTaken():
            return validation_failed("name", [f"name: {_TAKEN}"])
        case TooManyProviders():
            text = f"An organization may have at most {PROVIDERS_PER_ORG} risk providers"
            return validation_failed("riskProvider", [text])
        case ProviderUnknown():
            return resource_not_found(error.provider_id, _TYPE)
