"""The settings that are read from okta.yaml and the environment: names, meanings, and how each value is taken. Pure.

Source: the configuration pages of Okta's SDKs for Python, Go, Node.js and Java, which agree on the names but for
underscores, and for what the id of a key is called.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from tocsin.okta.settings import scope_list

PREFIX = "OKTA_CLIENT_"
_MODES = ("SSWS", "Bearer", "PrivateKey")


class Key(NamedTuple):
    """One setting that is read."""

    path: str
    """Under `okta: client:`, with a dot between levels."""
    meaning: str
    """For the page."""
    convert: Callable[[Any], Any]
    """Its value as a setting; raises ValueError with what is expected."""
    others: tuple[str, ...] = ()
    """Other names that SDKs have for it."""

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.path.replace(".", "_").upper()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, squashed: upper case, without what stands between words."""
        return tuple(squashed(name) for name in (self.path, *self.others))


def squashed(name: str) -> str:
    """A name without what differs between SDKs: upper case, nothing between the words."""
    return name.replace("_", "").replace(".", "").upper()


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # YAML takes an id of digits for a number
    raise ValueError("a text is expected")


def _scopes(value: Any) -> list[str]:
    if isinstance(value, str | list) and all(isinstance(scope, str) for scope in value):
        return list(scope_list(value))
    raise ValueError("a list of scopes is expected")


def _private_key(value: Any) -> str | dict[str, Any]:
    return value if isinstance(value, dict) else _text(value)


def _mode(value: Any) -> str:
    for mode in _MODES:
        if str(value).lower() == mode.lower():
            return mode
    raise ValueError(f"one of {', '.join(_MODES)} is expected")


def _flag(value: Any) -> bool:
    word = str(value).lower()
    if word in ("true", "false"):
        return word == "true"
    raise ValueError("true or false is expected")


def _number(value: Any) -> float:
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("a number from 0 on is expected")
    return number


def _count(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("a whole number is expected")
    return int(number)


HOST = Key("orgUrl", "`host`", _text)
TOKEN = Key("token", "`api_key['apiToken']`, or `access_token` when the mode is Bearer", _text)
MODE = Key("authorizationMode", "which credential is used: SSWS, Bearer or PrivateKey", _mode)
CLIENT_ID = Key("clientId", "`client_id`", _text)
PRIVATE_KEY = Key("privateKey", "`private_key`", _private_key)
KEY_ID = Key("kid", "`private_key_id`; also as `privateKeyId`, `keyId`", _text, ("privateKeyId", "keyId"))
SCOPES = Key("scopes", "`scopes`, with commas or blanks between", _scopes)
DPOP = Key("dpopEnabled", "`dpop`; also as `dpop`", _flag, ("dpop",))
CONNECTION_TIMEOUT = Key("connectionTimeout", "seconds to connect, of `timeout_s`", _number)
REQUEST_TIMEOUT = Key("requestTimeout", "seconds to read, of `timeout_s`, and `max_retry_wait_s`; 0 sets none", _number)
RETRIES = Key("rateLimit.maxRetries", "`retries`", _count)
LONGEST_WAIT = Key(
    "rateLimit.maxRequestSeconds", "`max_retry_wait_s`; also as `maxBackoff`", _number, ("rateLimit.maxBackoff",)
)
PROXY_HOST = Key("proxy.host", "`proxy`, with the three that follow", _text)
PROXY_PORT = Key("proxy.port", "its port", _count)
PROXY_USER = Key("proxy.username", "a user name for it", _text)
PROXY_PASSWORD = Key("proxy.password", "a password for it", _text)
KEYS = (
    HOST, MODE, TOKEN, CLIENT_ID, SCOPES, PRIVATE_KEY, KEY_ID, DPOP, CONNECTION_TIMEOUT, REQUEST_TIMEOUT, RETRIES,
    LONGEST_WAIT, PROXY_HOST, PROXY_PORT, PROXY_USER, PROXY_PASSWORD,
)  # fmt: skip
