"""Where the org is, how to prove who is calling, and how to behave on the way."""

import copy
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tocsin.okta.settings import (
    DEFAULT_HOST,
    HOST_SETTINGS,
    Seconds,
    fill_host,
    without_user_info,
)
from tocsin.okta.tokens import AsyncTokenSource, TokenSource

if TYPE_CHECKING:
    from tocsin.okta.oauth.keys import PrivateKey

__all__ = ["Configuration"]

_logger = logging.getLogger("tocsin.okta")
_SCHEME = "SSWS"


class Configuration:
    """
    The settings of a client. All can be given here or assigned later; connections are opened with those that hold
    at the first call.

    Args:
        host: base URL of the org, `https://subdomain.okta.com` when absent.
        api_key: secrets by the name of their scheme; `{"apiToken": ...}` goes out as `Authorization: SSWS ...`.
        api_key_prefix: other words to put before a secret, by the name of its scheme.
        username, password: kept for the interface of generated clients; the risk APIs use neither.
        access_token: OAuth 2.0 token, sent as Bearer; when set, `api_key` is not used.
        server_index, server_variables, server_operation_index, server_operation_variables: choose and fill the host
            from `get_host_settings()`, for all operations or for one, named like `RiskEventApi.send_risk_events`.
        ssl_ca_cert: file of CA certificates in PEM form to trust instead of the usual ones.
        verify_ssl: False to trust any certificate.
        cert_file, key_file: client certificate and its key in PEM form.
        assert_hostname: False to not compare the host with the certificate, or the name to expect in it.
        tls_server_name: name to ask for (SNI) and to expect in the certificate, in place of the host.
        proxy, proxy_headers: URL of a proxy, and headers for it. Proxies of the environment are not used.
        connection_pool_maxsize: most connections at a time.
        retries: how often to repeat after 429 and 5xx, 2 when None; 0 or False is never.
        client_side_validation: False to send without checking; the org then says what is wrong.
        debug: True to log every request and answer, without secrets, under the logger `tocsin.okta`.
        timeout_s: seconds to connect, and for every read of the answer; one number stands for both.
        max_retry_wait_s: longest single wait; when the org asks for more, its answer is raised at once.
        allow_insecure_http: True to let credentials out over plain http to hosts that are not loopback.
        allow_cross_host_redirects: True to let credentials follow a redirect to another host.
        token_source: fetches and renews access tokens; used when `access_token` is None.
        client_id: id of a service app. With `private_key` and `scopes` access tokens are fetched, renewed and shared by
            all clients of this configuration; used when `access_token` and `token_source` are None, and before
            `api_key`.
        private_key: the key of the app, RSA or EC: PEM text, a JWK as a dict or as JSON text, or a file with either,
            which is read anew for each token.
        private_key_id: the `kid` under which the org knows the key; of a JWK its own when None.
        scopes: what to ask for, a list or a text with blanks between: `["okta.riskEvents.manage"]`.
        dpop: True to have every token bound to a key of this client (RFC 9449); when False, that is done for an app
            that requires it.
    """

    _default: ClassVar["Configuration | None"] = None

    def __init__(
        self,
        host: str | None = None,
        api_key: dict[str, str] | None = None,
        api_key_prefix: dict[str, str] | None = None,
        username: str | None = None,
        password: str | None = None,
        access_token: str | None = None,
        server_index: int | None = None,
        server_variables: dict[str, str] | None = None,
        server_operation_index: dict[str, int] | None = None,
        server_operation_variables: dict[str, dict[str, str]] | None = None,
        ssl_ca_cert: str | os.PathLike[str] | None = None,
        *,
        verify_ssl: bool = True,
        cert_file: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        assert_hostname: str | bool | None = None,
        tls_server_name: str | None = None,
        proxy: str | None = None,
        proxy_headers: dict[str, str] | None = None,
        connection_pool_maxsize: int | None = None,
        retries: int | bool | None = None,
        client_side_validation: bool = True,
        debug: bool = False,
        timeout_s: Seconds = (10.0, 60.0),
        max_retry_wait_s: float = 65.0,
        allow_insecure_http: bool = False,
        allow_cross_host_redirects: bool = False,
        token_source: TokenSource | AsyncTokenSource | None = None,
        client_id: str | None = None,
        private_key: "PrivateKey | None" = None,
        private_key_id: str | None = None,
        scopes: Sequence[str] | str | None = None,
        dpop: bool = False,
    ) -> None:
        self._base_path = DEFAULT_HOST if host is None else host
        self.server_index = 0 if server_index is None and host is None else server_index
        self.server_variables = server_variables or {}
        self.server_operation_index = server_operation_index or {}
        self.server_operation_variables = server_operation_variables or {}
        self.api_key = {} if api_key is None else api_key
        self.api_key_prefix = {} if api_key_prefix is None else api_key_prefix
        self.refresh_api_key_hook: Callable[[Configuration], None] | None = None
        """Called before an API key is read, for keys that change."""
        self.username = username
        self.password = password
        self.access_token = access_token
        self.token_source = token_source
        self.client_id = client_id
        self.private_key = private_key
        self.private_key_id = private_key_id
        self.scopes = scopes
        self.dpop = dpop
        self._grant: Any = None  # what these settings were granted: tocsin.okta.oauth.sources keeps it here
        self.ssl_ca_cert = ssl_ca_cert
        self.verify_ssl = verify_ssl
        self.cert_file = cert_file
        self.key_file = key_file
        self.assert_hostname = assert_hostname
        self.tls_server_name = tls_server_name
        self.proxy = proxy
        self.proxy_headers = proxy_headers
        self.connection_pool_maxsize = connection_pool_maxsize or (os.cpu_count() or 1) * 5
        self.retries = retries
        self.client_side_validation = client_side_validation
        self.timeout_s = timeout_s
        self.max_retry_wait_s = max_retry_wait_s
        self.allow_insecure_http = allow_insecure_http
        self.allow_cross_host_redirects = allow_cross_host_redirects
        self._debug = False
        self.debug = debug

    @classmethod
    def from_environment(cls, **settings: Any) -> Self:
        """
        A configuration as Okta's own SDKs find theirs: from `settings` (the arguments of this class), then environment
        variables like `OKTA_CLIENT_ORGURL`, then okta.yaml in the current directory, then ~/.okta/okta.yaml.

        Raises: ApiValueError, which names the place and the key that cannot be used or is missing.
        """
        from tocsin.okta.config_chain import chained_settings, usual_places

        directory, home = usual_places()
        return cls(**chained_settings(settings, environment=os.environ, directory=directory, home=home))

    @classmethod
    def set_default(cls, default: "Configuration | None") -> None:
        """Make `default` what clients use that are given no configuration; None forgets it."""
        cls._default = default

    @classmethod
    def get_default(cls) -> "Configuration":
        """The default, made on first use."""
        if cls._default is None:
            cls._default = Configuration()
        return cls._default

    @classmethod
    def get_default_copy(cls) -> "Configuration":
        """The default itself, as in generated clients, which keep this name for older programs."""
        return cls.get_default()

    @property
    def debug(self) -> bool:
        """Whether every request and answer is logged. Secrets and bodies never are."""
        return self._debug

    @debug.setter
    def debug(self, value: bool) -> None:
        if value and not _logger.hasHandlers():
            _logger.addHandler(logging.StreamHandler())  # whoever asks to see it must not need to set up logging
        if value != self._debug:
            _logger.setLevel(logging.DEBUG if value else logging.NOTSET)
        self._debug = bool(value)

    @property
    def host(self) -> str:
        """Base URL of the org."""
        return self.get_host_from_settings(self.server_index, self.server_variables)

    @host.setter
    def host(self, value: str) -> None:
        self._base_path = value
        self.server_index = None

    def host_for(self, operation_id: str) -> str:
        """Base URL for one operation, such as `RiskEventApi.send_risk_events`."""
        index = self.server_operation_index.get(operation_id, self.server_index)
        variables = self.server_operation_variables.get(operation_id, self.server_variables)
        return self.get_host_from_settings(index, variables)

    def get_host_settings(self) -> list[dict[str, Any]]:
        """The hosts that `server_index` chooses from, each with the variables in its URL."""
        return copy.deepcopy(HOST_SETTINGS)

    def get_host_from_settings(
        self,
        index: int | None,
        variables: Mapping[str, str] | None = None,
        servers: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """
        The URL of host setting `index`, its variables filled in; the host that was set when `index` is None.

        Raises: ApiValueError, when there is no such setting or a variable has a value that is not allowed.
        """
        if index is None:
            return self._base_path
        return fill_host(index, variables or {}, HOST_SETTINGS if servers is None else servers)

    def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None:
        """The secret of a scheme after its prefix; `apiToken` has the prefix SSWS unless another is set."""
        if self.refresh_api_key_hook is not None:
            self.refresh_api_key_hook(self)
        key = self.api_key.get(identifier) or (self.api_key.get(alias) if alias else None)
        if not key:
            return None
        prefix = self.api_key_prefix.get(identifier) or (_SCHEME if identifier == "apiToken" else "")
        return f"{prefix} {key}" if prefix else key

    def auth_settings(self) -> dict[str, dict[str, Any]]:
        """The Authorization headers that could be sent, by the name of their scheme. They hold the secrets."""
        settings = {}
        if token := self.get_api_key_with_prefix("apiToken"):
            settings["apiToken"] = _header("api_key", token)
        if self.access_token:
            settings["oauth2"] = _header("oauth2", f"Bearer {self.access_token}")
        return settings

    def to_debug_report(self) -> str:
        """What to add to a report of a problem; it holds no secret."""
        version = sys.version.replace("\n", " ")
        return f"Python SDK Debug Report:\nOS: {sys.platform}\nPython Version: {version}\nSettings: {self!r}"

    def __getstate__(self) -> dict[str, Any]:
        # What was granted to this one is not a copy's: it holds a lock, and who is fetching.
        return self.__dict__ | {"_grant": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A token source holds connections and locks: copies share it.
        memo[id(self.token_source)] = self.token_source
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__getstate__().items()})
        return twin

    def __repr__(self) -> str:
        shown: dict[str, object] = {
            "host": without_user_info(self._base_path if self.server_index is None else self.host),
            "api_key": dict.fromkeys(self.api_key, "(hidden)"),
            "access_token": "(hidden)" if self.access_token else None,
            "token_source": type(self.token_source).__name__ if self.token_source else None,
            "client_id": self.client_id,
            "private_key": "(hidden)" if self.private_key else None,
            "scopes": self.scopes,
            "proxy": without_user_info(self.proxy) if self.proxy else None,
            "verify_ssl": self.verify_ssl,
            "retries": self.retries,
            "timeout_s": self.timeout_s,
        }
        return f"Configuration({', '.join(f'{name}={value!r}' for name, value in shown.items() if value is not None)})"


def _header(kind: str, value: str) -> dict[str, Any]:
    return {"type": kind, "in": "header", "key": "Authorization", "value": value}
