"""The risk providers of an org: who may send risk events, and what the org does with them."""

from typing import Unpack

from tocsin.okta.api._calls import AsyncApi, Provider, SyncApi, provider_body_call, provider_call
from tocsin.okta.api._results import nothing, provider, providers, raw, with_info
from tocsin.okta.api_response import ApiResponse
from tocsin.okta.models.risk_provider import RiskProvider
from tocsin.okta.operations import (
    CREATE_RISK_PROVIDER,
    DELETE_RISK_PROVIDER,
    GET_RISK_PROVIDER,
    LIST_RISK_PROVIDERS,
    REPLACE_RISK_PROVIDER,
)
from tocsin.okta.request import PerCall
from tocsin.okta.rest import RESTResponse

__all__ = ["AsyncRiskProviderApi", "RiskProviderApi"]


class RiskProviderApi(SyncApi):
    """Makes, reads, replaces and deletes the risk providers of an org."""

    def create_risk_provider(self, instance: Provider, **per_call: Unpack[PerCall]) -> RiskProvider:
        """
        Make a risk provider, and give it as the org keeps it, with its id.

        Args:
            instance: name and client_id are needed, action is log_only when absent; a model or a plain dict.
        Raises: InvalidInstance, before anything is sent; ApiException when the org refuses or does not answer.
        """
        return self._perform(provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), provider)

    def create_risk_provider_with_http_info(
        self, instance: Provider, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """Like `create_risk_provider`, with status, headers and body."""
        return self._perform(
            provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), with_info(provider)
        )

    def create_risk_provider_without_preload_content(
        self, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """Like `create_risk_provider`; gives the answer as it came, and raises for no status."""
        return self._perform(provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), raw)

    def delete_risk_provider(self, risk_provider_id: str, **per_call: Unpack[PerCall]) -> None:
        """
        Delete the risk provider with this id.

        Raises: NotFoundException when there is none; ApiException when the org refuses or does not answer.
        """
        return self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), nothing)

    def delete_risk_provider_with_http_info(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> ApiResponse[None]:
        """Like `delete_risk_provider`, with status, headers and body."""
        return self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), with_info(nothing))

    def delete_risk_provider_without_preload_content(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """Like `delete_risk_provider`; gives the answer as it came, and raises for no status."""
        return self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), raw)

    def get_risk_provider(self, risk_provider_id: str, **per_call: Unpack[PerCall]) -> RiskProvider:
        """
        The risk provider with this id.

        Raises: NotFoundException when there is none; ApiException when the org refuses or does not answer.
        """
        return self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), provider)

    def get_risk_provider_with_http_info(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """Like `get_risk_provider`, with status, headers and body."""
        return self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), with_info(provider))

    def get_risk_provider_without_preload_content(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """Like `get_risk_provider`; gives the answer as it came, and raises for no status."""
        return self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), raw)

    def list_risk_providers(self, **per_call: Unpack[PerCall]) -> list[RiskProvider]:
        """
        All risk providers of the org.

        Raises: ApiException when the org refuses or does not answer.
        """
        return self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), providers)

    def list_risk_providers_with_http_info(self, **per_call: Unpack[PerCall]) -> ApiResponse[list[RiskProvider]]:
        """Like `list_risk_providers`, with status, headers and body."""
        return self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), with_info(providers))

    def list_risk_providers_without_preload_content(self, **per_call: Unpack[PerCall]) -> RESTResponse:
        """Like `list_risk_providers`; gives the answer as it came, and raises for no status."""
        return self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), raw)

    def replace_risk_provider(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RiskProvider:
        """
        Replace name, client_id and action of the risk provider with this id, and give it as the org keeps it now.

        Raises: InvalidInstance, before anything is sent; NotFoundException when there is none; ApiException when
            the org refuses or does not answer.
        """
        return self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id), provider
        )

    def replace_risk_provider_with_http_info(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """Like `replace_risk_provider`, with status, headers and body."""
        return self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id),
            with_info(provider),
        )

    def replace_risk_provider_without_preload_content(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """Like `replace_risk_provider`; gives the answer as it came, and raises for no status."""
        return self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id), raw
        )


class AsyncRiskProviderApi(AsyncApi):
    """`RiskProviderApi` over an `AsyncApiClient`, with the types of awaited methods."""

    async def create_risk_provider(self, instance: Provider, **per_call: Unpack[PerCall]) -> RiskProvider:
        """As `RiskProviderApi.create_risk_provider`."""
        return await self._perform(
            provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), provider
        )

    async def create_risk_provider_with_http_info(
        self, instance: Provider, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """As `RiskProviderApi.create_risk_provider_with_http_info`."""
        return await self._perform(
            provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), with_info(provider)
        )

    async def create_risk_provider_without_preload_content(
        self, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """As `RiskProviderApi.create_risk_provider_without_preload_content`."""
        return await self._perform(provider_body_call(self.api_client, CREATE_RISK_PROVIDER, instance, per_call), raw)

    async def delete_risk_provider(self, risk_provider_id: str, **per_call: Unpack[PerCall]) -> None:
        """As `RiskProviderApi.delete_risk_provider`."""
        return await self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), nothing)

    async def delete_risk_provider_with_http_info(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> ApiResponse[None]:
        """As `RiskProviderApi.delete_risk_provider_with_http_info`."""
        return await self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), with_info(nothing))

    async def delete_risk_provider_without_preload_content(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """As `RiskProviderApi.delete_risk_provider_without_preload_content`."""
        return await self._perform(provider_call(DELETE_RISK_PROVIDER, per_call, risk_provider_id), raw)

    async def get_risk_provider(self, risk_provider_id: str, **per_call: Unpack[PerCall]) -> RiskProvider:
        """As `RiskProviderApi.get_risk_provider`."""
        return await self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), provider)

    async def get_risk_provider_with_http_info(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """As `RiskProviderApi.get_risk_provider_with_http_info`."""
        return await self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), with_info(provider))

    async def get_risk_provider_without_preload_content(
        self, risk_provider_id: str, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """As `RiskProviderApi.get_risk_provider_without_preload_content`."""
        return await self._perform(provider_call(GET_RISK_PROVIDER, per_call, risk_provider_id), raw)

    async def list_risk_providers(self, **per_call: Unpack[PerCall]) -> list[RiskProvider]:
        """As `RiskProviderApi.list_risk_providers`."""
        return await self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), providers)

    async def list_risk_providers_with_http_info(self, **per_call: Unpack[PerCall]) -> ApiResponse[list[RiskProvider]]:
        """As `RiskProviderApi.list_risk_providers_with_http_info`."""
        return await self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), with_info(providers))

    async def list_risk_providers_without_preload_content(self, **per_call: Unpack[PerCall]) -> RESTResponse:
        """As `RiskProviderApi.list_risk_providers_without_preload_content`."""
        return await self._perform(provider_call(LIST_RISK_PROVIDERS, per_call), raw)

    async def replace_risk_provider(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RiskProvider:
        """As `RiskProviderApi.replace_risk_provider`."""
        return await self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id), provider
        )

    async def replace_risk_provider_with_http_info(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> ApiResponse[RiskProvider]:
        """As `RiskProviderApi.replace_risk_provider_with_http_info`."""
        return await self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id),
            with_info(provider),
        )

    async def replace_risk_provider_without_preload_content(
        self, risk_provider_id: str, instance: Provider, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """As `RiskProviderApi.replace_risk_provider_without_preload_content`."""
        return await self._perform(
            provider_body_call(self.api_client, REPLACE_RISK_PROVIDER, instance, per_call, risk_provider_id), raw
        )
