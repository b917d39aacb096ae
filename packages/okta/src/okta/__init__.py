"""`import okta` as the risk pages show it: every name comes from `tocsin.okta`."""

from okta import api, api_client, api_response, configuration, exceptions, models, rest
from tocsin import okta as _okta
from tocsin.okta import *  # noqa: F403 - the one list of what is public stands there

__all__ = ["api", "api_client", "api_response", "configuration", "exceptions", "models", "rest"]
__all__ += _okta.__all__
