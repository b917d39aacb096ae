"""See `tocsin.okta.rest`."""

from tocsin.okta.rest import ApiException, RESTResponse

__all__ = ["ApiException", "RESTResponse"]
