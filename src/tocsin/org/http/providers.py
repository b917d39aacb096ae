"""GET, POST /api/v1/risk/providers and GET, PUT, DELETE /api/v1/risk/providers/{id}. Source: spec 1.2."""

import msgspec

from tocsin.org.changes import NameTaken
from tocsin.org.http.doors import Door
from tocsin.org.http.errors import Refusal, invalid, resource_not_found, validation_failed
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.views import PROVIDERS_PATH, provider_view
from tocsin.org.org import Org
from tocsin.org.providers import Provider, ProviderUnknown, TooManyProviders
from tocsin.signals import InvalidSignals, RiskProvider, decode_provider
from tocsin.signals.limits import PROVIDERS_PER_ORG

_TAKEN = "An object with this field already exists in the current organization"
_TYPE = "RiskProvider"  # U: the class name in the 404 of a risk provider is not public


class ProviderDoors:
    """The doors to the risk providers of one org. They raise Refusal (400, 404), JournalError."""

    def __init__(self, org: Org, base_url: str) -> None:
        """Links begin with `base_url`."""
        self._providers, self._base_url = org.providers, base_url

    def doors(self) -> dict[tuple[str, str], Door]:
        """All of them, by method and path."""
        one = PROVIDERS_PATH + "/{provider_id}"
        return {
            ("GET", PROVIDERS_PATH): self._list,
            ("POST", PROVIDERS_PATH): self._create,
            ("GET", one): self._tell,
            ("PUT", one): self._replace,
            ("DELETE", one): self._delete,
        }

    async def _list(self, exchange: Exchange) -> None:
        views = [provider_view(provider, self._base_url) for provider in self._providers.all()]
        await exchange.answer(200, msgspec.json.encode(views))

    async def _create(self, exchange: Exchange) -> None:
        wanted = await _wanted(exchange)
        try:
            created = await self._providers.create(wanted, deed=exchange.deed())
        except (NameTaken, TooManyProviders) as error:
            raise _refusal(error) from error
        await self._answer(exchange, 201, created)

    async def _tell(self, exchange: Exchange, provider_id: str) -> None:
        await self._answer(exchange, 200, self._found(provider_id))

    async def _replace(self, exchange: Exchange, provider_id: str) -> None:
        known = self._found(provider_id)
        wanted = await _wanted(exchange, client_id_needed=known.client_id is not None)
        try:
            replaced = await self._providers.replace(provider_id, wanted, deed=exchange.deed())
        except (NameTaken, ProviderUnknown) as error:
            raise _refusal(error) from error
        await self._answer(exchange, 200, replaced)

    async def _delete(self, exchange: Exchange, provider_id: str) -> None:
        try:
            await self._providers.delete(provider_id, deed=exchange.deed())
        except ProviderUnknown as error:
            raise _refusal(error) from error
        await exchange.answer(204)

    async def _answer(self, exchange: Exchange, status: int, provider: Provider) -> None:
        await exchange.answer(status, msgspec.json.encode(provider_view(provider, self._base_url)))

    def _found(self, provider_id: str) -> Provider:
        provider = self._providers.get(provider_id)
        if provider is None:
            raise resource_not_found(provider_id, _TYPE)
        return provider


async def _wanted(exchange: Exchange, *, client_id_needed: bool = True) -> RiskProvider:
    try:
        return decode_provider(await exchange.json_body(), client_id_needed=client_id_needed)
    except InvalidSignals as error:
        raise invalid(error.problems) from error


def _refusal(error: NameTaken | TooManyProviders | ProviderUnknown) -> Refusal:
    match error:
        case NameTaken():
            return validation_failed("name", [f"name: {_TAKEN}"])
        case TooManyProviders():
            text = f"An organization may have at most {PROVIDERS_PER_ORG} risk providers"
            return validation_failed("riskProvider", [text])
        case ProviderUnknown():
            return resource_not_found(error.provider_id, _TYPE)
