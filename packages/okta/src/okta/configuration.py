"""See `tocsin.okta.configuration`."""

from tocsin.okta.configuration import Configuration

__all__ = ["Configuration"]
