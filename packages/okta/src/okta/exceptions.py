"""See `tocsin.okta.exceptions`."""

from tocsin.okta.exceptions import *  # noqa: F403
from tocsin.okta.exceptions import __all__ as __all__
