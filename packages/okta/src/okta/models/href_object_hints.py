"""See `tocsin.okta.models.href_object_hints`."""

from tocsin.okta.models.href_object_hints import HrefObjectHints

__all__ = ["HrefObjectHints"]
