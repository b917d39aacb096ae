"""What a target is shown to prove who is calling. Secrets are fetched, kept for the client alone, and never shown."""

from collections.abc import Callable

from tocsin.okta import Configuration


class Credential:
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
        """The settings of a client that shows it. Raises what fetching raises."""
        self._shown = self._fetch()
        if self._bearer:
            return Configuration(host=host, access_token=self._shown, retries=0)
        return Configuration(host=host, api_key={"apiToken": self._shown}, retries=0)

    def renew(self, configuration: Configuration) -> bool:
        """Fetch it again. Returns: whether the client now shows another one."""
        token = self._fetch()
        if token == self._shown:
            return False
        self._shown = token
        if self._bearer:
            configuration.access_token = token
        else:
            configuration.api_key["apiToken"] = token
        return True
