"""See `tocsin.okta.api_response`."""

from tocsin.okta.api_response import ApiResponse

__all__ = ["ApiResponse"]
