"""What a target is shown to prove who is calling. Secrets are fetched, kept for the client alone, and never shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tocsin.errors import TocsinError
from tocsin.okta import Configuration


class Credential(Protocol):
    """One way to prove who is calling."""

    def configuration(self, host: str) -> Configuration:
        """The settings of a client that shows it. Raises a TocsinError, when there is none to show."""
        ...


class Token:
    """A token that is fetched when the client opens, and again when the org refuses it."""

    def __init__(self, fetch: Callable[[], str], *, bearer: bool = False) -> None:
        """
        Args:
            fetch: gives the token; raises a TocsinError when there is none.
            bearer: True for an OAuth 2.0 access token, False for an API token (SSWS).
        """
        self._fetch, self._bearer = fetch, bearer
        self._shown = ""

    def configuration(self, host: str) -> Configuration:
        """See `Credential`."""
        self._shown = self._fetch()
        if self._bearer:
            return Configuration(host=host, access_token=self._shown, retries=0)
        return Configuration(host=host, api_key={"apiToken": self._shown}, retries=0)

    def renew(self, configuration: Configuration) -> bool:
        """The org has refused it: fetch it again. Returns: whether the client now shows another one."""
        try:
            token = self._fetch()
        except TocsinError:
            return False  # the refusal is what a person is told, and what to mend
        if token == self._shown:
            return False
        self._shown = token
        if self._bearer:
            configuration.access_token = token
        else:
            configuration.api_key["apiToken"] = token
        return True


class ServiceApp:
    """A service app with a key: the SDK fetches its access tokens, renews them before they end and when refused."""

    def __init__(
        self, client_id: str, key_file: Path, *, key_id: str | None, scopes: Sequence[str], dpop: bool
    ) -> None:
        self._client_id, self._key_file, self._key_id = client_id, key_file, key_id
        self._scopes, self._dpop = scopes, dpop

    def configuration(self, host: str) -> Configuration:
        """See `Credential`."""
        return Configuration(
            host=host,
            client_id=self._client_id,
            private_key=self._key_file,
            private_key_id=self._key_id,
            scopes=list(self._scopes),
            dpop=self._dpop,
            retries=0,
        )
