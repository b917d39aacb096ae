"""From the arguments of a method to a call; what is wrong with them is raised here, before any network I/O."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from tocsin.okta.api_client import ApiClient, AsyncApiClient
from tocsin.okta.bodies import RiskEvents, events_body, provider_body
from tocsin.okta.exceptions import ApiTypeError
from tocsin.okta.models.risk_provider import RiskProvider
from tocsin.okta.operations import SEND_RISK_EVENTS, Operation
from tocsin.okta.request import Call, PerCall, filled_path
from tocsin.okta.rest import RESTResponse

T = TypeVar("T")
Provider = RiskProvider | Mapping[str, Any]

_OPTIONS = frozenset(PerCall.__annotations__)


class SyncApi:
    """Methods over an `ApiClient`. Over an `AsyncApiClient` the same methods return awaitables of what they name."""

    def __init__(self, api_client: ApiClient | AsyncApiClient | None = None) -> None:
        """`api_client` is `ApiClient.get_default()` when absent."""
        self.api_client = api_client or ApiClient.get_default()

    def _perform(self, call: Call, finish: Callable[[RESTResponse], T]) -> T:
        # The types speak of an ApiClient, as the documented page does; AsyncApi has those of the other.
        return cast("ApiClient", self.api_client).perform(call, finish)


class AsyncApi:
    """Methods over an `AsyncApiClient`."""

    def __init__(self, api_client: AsyncApiClient) -> None:
        if not isinstance(api_client, AsyncApiClient):
            raise ApiTypeError(f"{type(self).__name__} needs an AsyncApiClient, not {type(api_client).__name__}")
        self.api_client = api_client

    async def _perform(self, call: Call, finish: Callable[[RESTResponse], T]) -> T:
        return await self.api_client.perform(call, finish)


def events_call(client: ApiClient | AsyncApiClient, instance: RiskEvents, options: PerCall) -> Call:
    """The call that sends risk events. Raises InvalidInstance or ApiTypeError."""
    body = events_body(instance, check=client.configuration.client_side_validation)
    return _call(SEND_RISK_EVENTS, SEND_RISK_EVENTS.path, body, options)


def provider_call(operation: Operation, options: PerCall, risk_provider_id: str | None = None) -> Call:
    """A call about providers that sends none. Raises ApiValueError for an id that is none."""
    return _call(operation, filled_path(operation, risk_provider_id), None, options)


def provider_body_call(
    client: ApiClient | AsyncApiClient,
    operation: Operation,
    instance: Provider,
    options: PerCall,
    risk_provider_id: str | None = None,
) -> Call:
    """A call that sends a provider. Raises InvalidInstance, ApiTypeError or ApiValueError."""
    # The provider an org starts with has no client id, and only the org knows if that one is replaced.
    is_new = risk_provider_id is None
    body = provider_body(instance, check=client.configuration.client_side_validation, client_id_needed=is_new)
    return _call(operation, filled_path(operation, risk_provider_id), body, options)


def _call(operation: Operation, path: str, body: bytes | None, options: PerCall) -> Call:
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        hint = f"beside its own arguments it takes {', '.join(sorted(_OPTIONS))}"
        raise ApiTypeError(f"{operation.name}() has no parameter {unknown[0]}", hint=hint)
    return Call(operation, path, body, options)
