"""See `tocsin.okta.models.href_object_self_link`."""

from tocsin.okta.models.href_object_self_link import HrefObjectSelfLink

__all__ = ["HrefObjectSelfLink"]
