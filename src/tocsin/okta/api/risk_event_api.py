"""Sending risk events."""

from typing import Unpack

from tocsin.okta.api._calls import AsyncApi, SyncApi, events_call
from tocsin.okta.api._results import nothing, raw, with_info
from tocsin.okta.api_response import ApiResponse
from tocsin.okta.bodies import RiskEvents
from tocsin.okta.request import PerCall
from tocsin.okta.rest import RESTResponse

__all__ = ["AsyncRiskEventApi", "RiskEventApi"]


class RiskEventApi(SyncApi):
    """Tells an org which IP addresses are risky."""

    def send_risk_events(self, instance: RiskEvents, **per_call: Unpack[PerCall]) -> None:
        """
        Send multiple risk events; the org has accepted them when this returns.

        Args:
            instance: 1 to 20 events of 1 to 50 subjects each: models, plain dicts in either spelling, or the structs
                of `tocsin.signals`.
            per_call: see `PerCall`.
        Raises: InvalidInstance, before anything is sent, with every rule that is broken; ApiException when the
            org refuses or does not answer.
        """
        return self._perform(events_call(self.api_client, instance, per_call), nothing)

    def send_risk_events_with_http_info(self, instance: RiskEvents, **per_call: Unpack[PerCall]) -> ApiResponse[None]:
        """Like `send_risk_events`, with status, headers and body."""
        return self._perform(events_call(self.api_client, instance, per_call), with_info(nothing))

    def send_risk_events_without_preload_content(
        self, instance: RiskEvents, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """Like `send_risk_events`; gives the answer as it came, and raises for no status."""
        return self._perform(events_call(self.api_client, instance, per_call), raw)


class AsyncRiskEventApi(AsyncApi):
    """`RiskEventApi` over an `AsyncApiClient`, with the types of awaited methods."""

    async def send_risk_events(self, instance: RiskEvents, **per_call: Unpack[PerCall]) -> None:
        """As `RiskEventApi.send_risk_events`."""
        return await self._perform(events_call(self.api_client, instance, per_call), nothing)

    async def send_risk_events_with_http_info(
        self, instance: RiskEvents, **per_call: Unpack[PerCall]
    ) -> ApiResponse[None]:
        """As `RiskEventApi.send_risk_events_with_http_info`."""
        return await self._perform(events_call(self.api_client, instance, per_call), with_info(nothing))

    async def send_risk_events_without_preload_content(
        self, instance: RiskEvents, **per_call: Unpack[PerCall]
    ) -> RESTResponse:
        """As `RiskEventApi.send_risk_events_without_preload_content`."""
        return await self._perform(events_call(self.api_client, instance, per_call), raw)
