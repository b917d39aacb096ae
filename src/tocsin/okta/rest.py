"""Where generated clients keep these names: `from okta.rest import ApiException`."""

from tocsin.okta.exceptions import ApiException
from tocsin.okta.rest_response import RESTResponse

__all__ = ["ApiException", "RESTResponse"]
