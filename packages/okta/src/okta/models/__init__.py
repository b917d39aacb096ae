"""See `tocsin.okta.models`."""

from tocsin.okta.models import *  # noqa: F403
from tocsin.okta.models import __all__ as __all__
