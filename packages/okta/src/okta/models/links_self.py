"""See `tocsin.okta.models.links_self`."""

from tocsin.okta.models.links_self import LinksSelf

__all__ = ["LinksSelf"]
