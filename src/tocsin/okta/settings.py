"""The hosts of the API, and checks of what a Configuration was given. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tocsin.okta.exceptions import ApiTypeError, ApiValueError

DEFAULT_HOST = "https://subdomain.okta.com"
RETRIES = 2  # what Okta's own SDKs do

HOST_SETTINGS: list[dict[str, Any]] = [
    {
        "url": "https://{yourOktaDomain}",
        "description": "An Okta org, or any other that speaks its API",
        "variables": {
            "yourOktaDomain": {
                "description": "The domain of the org: a subdomain of okta.com or oktapreview.com, or its own",
                "default_value": "subdomain.okta.com",
            }
        },
    }
]

Seconds = float | tuple[float, float]


def fill_host(index: int, variables: Mapping[str, str], servers: Sequence[Mapping[str, Any]]) -> str:
    """The URL of one host setting with its variables filled in. Raises ApiValueError."""
    if not 0 <= index < len(servers):
        raise ApiValueError(f"there is no host setting {index}: the last one is {len(servers) - 1}")
    url = str(servers[index]["url"])
    for name, variable in servers[index].get("variables", {}).items():
        value = variables.get(name, variable["default_value"])
        allowed = variable.get("enum_values")
        if allowed and value not in allowed:
            raise ApiValueError(f"{value!r} is not allowed for {name} in the host: use one of {', '.join(allowed)}")
        url = url.replace("{" + name + "}", value)
    return url


def checked_host(url: str) -> str:
    """`url` without a slash at its end. Raises ApiValueError when it is not the http(s) URL of a host."""
    try:
        parts = urlsplit(url)
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        port_is_number = False
    if not port_is_number or parts.scheme not in ("http", "https") or not parts.hostname or url != url.strip():
        raise ApiValueError(
            f"{without_user_info(url)[:100]!r} is not the URL of an org",
            hint="write it like https://subdomain.okta.com, or http://127.0.0.1:8420 for one on this machine",
        )
    if parts.username is not None or parts.query or parts.fragment:
        # Not quoted back: a password may stand in it.
        text = "the host must not hold a user name, a password, a query or a fragment"
        raise ApiValueError(text, hint="write only the scheme, the host and the port, like https://subdomain.okta.com")
    return url.rstrip("/")


def checked_timeout(seconds: Any) -> tuple[float, float]:
    """(connect, read) in seconds; one number stands for both. Raises ApiValueError."""
    pair = seconds if isinstance(seconds, tuple | list) else (seconds, seconds)
    if len(pair) != 2 or not all(_is_positive(part) for part in pair):
        hint = "give seconds: one number above 0, or a pair of them (to connect, to read)"
        raise ApiValueError(f"{seconds!r} is not a timeout", hint=hint)
    return float(pair[0]), float(pair[1])


def checked_retries(retries: Any) -> int:
    """How often to repeat: None is the default, False is never. Raises ApiTypeError or ApiValueError."""
    if retries is None:
        return RETRIES
    if not isinstance(retries, int):
        raise ApiTypeError(f"retries is a number, not {type(retries).__name__}", hint="0 or False turns retries off")
    if retries < 0:
        raise ApiValueError(f"{retries} retries cannot be made", hint="0 or False turns retries off")
    return int(retries) if retries is not True else RETRIES


def scope_list(scopes: Any) -> tuple[str, ...]:
    """The scopes in a list, or in a text with blanks or commas between them. Raises ApiTypeError."""
    if scopes is None:
        return ()
    words = scopes.replace(",", " ").split() if isinstance(scopes, str) else scopes
    if not isinstance(words, Collection) or not all(isinstance(word, str) for word in words):
        raise ApiTypeError("scopes is a list of names, or a text with blanks between them")
    return tuple(dict.fromkeys(words))


def without_user_info(url: str) -> str:
    """A URL fit to be shown: what stands before the `@` of its host is hidden."""
    scheme, found, rest = url.partition("://")
    return f"{scheme}{found}(hidden)@{rest.rpartition('@')[2]}" if "@" in rest else url


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
