"""See `tocsin.okta.api_client`."""

from tocsin.okta.api_client import ApiClient, AsyncApiClient

__all__ = ["ApiClient", "AsyncApiClient"]
