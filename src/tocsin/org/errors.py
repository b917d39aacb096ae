"""Errors of the org that a person can mend."""

from tocsin.errors import TocsinError


class OrgError(TocsinError):
    """A data folder, token or provider is not as it should be. What the org accepted before is still there."""
