"""The door for access tokens that come from elsewhere, such as a vault."""

from collections.abc import Awaitable
from typing import Protocol


class TokenSource(Protocol):
    """Gives access tokens to an `ApiClient`, which asks before every request: keep the token until it runs out."""

    def token(self, *, renew: bool = False) -> str:
        """
        A valid access token, without a scheme.

        `renew` is true after the org refused the last one with 401: forget it and fetch another.
        """
        ...


class AsyncTokenSource(Protocol):
    """The same for an `AsyncApiClient`."""

    def token(self, *, renew: bool = False) -> Awaitable[str]:
        """Like `TokenSource.token`, awaited."""
        ...
