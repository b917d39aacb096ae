"""See `tocsin.okta.models.http_method`."""

from tocsin.okta.models.http_method import HttpMethod

__all__ = ["HttpMethod"]
