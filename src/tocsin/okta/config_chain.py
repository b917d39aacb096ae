"""Settings from where Okta's own SDKs look for them: okta.yaml in two places, and the environment.

Source: the configuration pages of Okta's SDKs for Python, Go, Node.js and Java, which agree on the order.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from tocsin.okta.config_keys import (
    CLIENT_ID,
    CONNECTION_TIMEOUT,
    DPOP,
    HOST,
    KEY_ID,
    LONGEST_WAIT,
    MODE,
    PREFIX,
    PRIVATE_KEY,
    PROXY_HOST,
    PROXY_PASSWORD,
    PROXY_PORT,
    PROXY_USER,
    REQUEST_TIMEOUT,
    RETRIES,
    SCOPES,
    TOKEN,
    Key,
    squashed,
)
from tocsin.okta.exceptions import ApiValueError
from tocsin.okta.settings import without_user_info

_MOST_BYTES = 64 * 1024
_CREDENTIALS = frozenset({"api_key", "access_token", "token_source", "client_id", "private_key"})


class Layer(NamedTuple):
    """One place that settings come from."""

    name: str
    """How to name it in an error: a file, or the environment."""
    values: Mapping[str, Any]
    """By squashed name, see `Key`."""
    is_environment: bool = False

    def place(self, key: Key) -> str:
        """How to name one of its settings in an error."""
        return key.variable if self.is_environment else f"{key.path} in {self.name}"


class Found(NamedTuple):
    """A setting that some layer has."""

    value: Any
    layer: Layer
    key: Key


def usual_places() -> tuple[Path, Path | None]:
    """The current directory, and the home directory if there is one."""
    try:
        return Path.cwd(), Path.home()
    except RuntimeError:  # a user without one, as in some containers
        return Path.cwd(), None


def chained_settings(
    given: Mapping[str, Any], *, environment: Mapping[str, str], directory: Path, home: Path | None
) -> dict[str, Any]:
    """
    The arguments for a Configuration: `given`, then the environment, okta.yaml in `directory`, and the one of `home`.

    Raises: ApiValueError, which names the place and the key: for a file that cannot be used, for a value that is not
        as expected, when a part is missing, and when a credential belongs to another org than the one that was named.
    """
    given = {name: value for name, value in given.items() if value is not None}
    layers = [_environment(environment), _file(directory / "okta.yaml", "okta.yaml")]
    if home is not None:
        layers.append(_file(home / ".okta" / "okta.yaml", "~/.okta/okta.yaml"))
    host = _first(layers, HOST)
    if host is None and "host" not in given:
        raise _missing("no org is named", HOST)
    settings = _behaviour(layers) | ({} if host is None else {"host": host.value})
    if _CREDENTIALS.isdisjoint(given):
        found, credential = _credential(layers)
        _refuse_another_org(found, given.get("host") or cast("Found", host).value)
        settings |= credential
    return settings | given


def _credential(layers: list[Layer]) -> tuple[Found, dict[str, Any]]:
    """What holds the secret, and the arguments that it leads to."""
    mode = _first(layers, MODE)
    token, key = _first(layers, TOKEN), _first(layers, PRIVATE_KEY)
    if mode is None:
        if token is None and key is None:
            raise _missing("no credential is named", TOKEN, PRIVATE_KEY)
        first = min((found for found in (token, key) if found), key=lambda found: layers.index(found.layer))
        name, why = ("SSWS" if first is token else "PrivateKey"), first.layer.place(first.key)
    else:
        name, why = mode.value, f"{mode.layer.place(mode.key)} is {mode.value}"
    if name == "PrivateKey":
        return _app(layers, why)
    if token is None:
        raise _missing(f"{why}, and there is no token", TOKEN)
    return token, {"access_token": token.value} if name == "Bearer" else {"api_key": {"apiToken": token.value}}


def _app(layers: list[Layer], why: str) -> tuple[Found, dict[str, Any]]:
    settings: dict[str, Any] = {}
    for name, key in (("client_id", CLIENT_ID), ("scopes", SCOPES), ("private_key_id", KEY_ID), ("dpop", DPOP)):
        found = _first(layers, key)
        if found is not None:
            settings[name] = found.value
        elif key in (CLIENT_ID, SCOPES):
            raise _missing(f"{why}, and there is no {key.path}", key)
    private_key = _first(layers, PRIVATE_KEY)
    if private_key is None:
        raise _missing(f"{why}, and there is no {PRIVATE_KEY.path}", PRIVATE_KEY)
    return private_key, settings | {"private_key": private_key.value}


def _refuse_another_org(secret: Found, host: str) -> None:
    """A file that names an org and a credential means the credential for that org."""
    own = _first([secret.layer], HOST)
    if own is not None and own.value.rstrip("/") != host.rstrip("/"):
        what = f"{secret.layer.place(secret.key)} is for the org beside it, {without_user_info(own.value)}"
        text = f"{what}, and the host is {without_user_info(host)}: it is not sent there"
        raise ApiValueError(text, hint="give the credential where the host is given")


def _behaviour(layers: list[Layer]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    connect, read = _first(layers, CONNECTION_TIMEOUT), _first(layers, REQUEST_TIMEOUT)
    connect_s = connect.value if connect and connect.value else 10.0
    if read and read.value:
        settings |= {"timeout_s": (connect_s, read.value), "max_retry_wait_s": read.value}
    elif connect:
        settings["timeout_s"] = (connect_s, 60.0)
    if (wait := _first(layers, LONGEST_WAIT)) is not None:
        settings["max_retry_wait_s"] = wait.value
    if (retries := _first(layers, RETRIES)) is not None:
        settings["retries"] = retries.value
    if (proxy := _first(layers, PROXY_HOST)) is not None:
        settings["proxy"] = _proxy(layers, proxy.value)
    return settings


def _proxy(layers: list[Layer], host: str) -> str:
    port, user, password = (_first(layers, key) for key in (PROXY_PORT, PROXY_USER, PROXY_PASSWORD))
    scheme, found, rest = host.rpartition("://")
    secret = f":{quote(password.value, safe='')}" if password else ""
    who = f"{quote(user.value, safe='')}{secret}@" if user else ""
    return f"{scheme or 'http'}{found or '://'}{who}{rest}{f':{port.value}' if port else ''}"


def _first(layers: list[Layer], key: Key) -> Found | None:
    """The setting from the first layer that has it."""
    for layer in layers:
        for name in key.names:
            value = layer.values.get(name)
            if value is None or value == "":
                continue  # official SDKs take an empty value for none
            try:
                return Found(key.convert(value), layer, key)
            except ValueError as error:
                # The value is not quoted: it may be a secret.
                text = f"{layer.place(key)} cannot be used: {error}"
                raise ApiValueError(text, hint="see the table of settings in the documentation of the SDK") from None
    return None


def _environment(environment: Mapping[str, str]) -> Layer:
    values = {
        squashed(name.removeprefix(PREFIX)): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    return Layer("the environment", values, is_environment=True)


def _file(path: Path, name: str) -> Layer:
    """The layer of a file; empty when there is none. Raises: ApiValueError, for one that cannot be used."""
    hint = "it has the form `okta:`, and under it `client:`, and under that the settings"
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Layer(name, {})
    except OSError as error:
        raise ApiValueError(f"{name} cannot be read: {error.strerror}", hint="mend it, or take it away") from None
    if len(content) > _MOST_BYTES:
        raise ApiValueError(f"{name} is larger than 64 KiB", hint=hint)
    value = _parsed(content, name)
    for level in ("okta", "client"):
        value = {} if value is None else value
        if not isinstance(value, dict):
            raise ApiValueError(f"{name} has no mapping around `{level}`", hint=hint)
        value = value.get(level)
    if not isinstance(value, dict | None):
        raise ApiValueError(f"{name}: `client` is no mapping", hint=hint)
    return Layer(name, dict(_flat(value or {})))


def _parsed(content: bytes, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        # Nothing that its text quotes: a secret may stand there.
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        what = (error.problem or "it is not YAML").partition("'")[0].rstrip(" ,")
        raise ApiValueError(f"{name}{line}: {what}", hint="mend that line") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ApiValueError(f"{name} is not YAML", hint="mend it, or take it away") from None


def _flat(mapping: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Each value with its squashed name; a JWK stays whole."""
    flat: list[tuple[str, Any]] = []
    for name, value in mapping.items():
        full = prefix + squashed(str(name))
        if isinstance(value, dict) and full in ("PROXY", "RATELIMIT"):
            flat += _flat(value, full)
        else:
            flat.append((full, value))
    return flat


def _missing(what: str, *keys: Key) -> ApiValueError:
    ways = " or ".join(f"{key.variable} (or {key.path} in okta.yaml)" for key in keys)
    return ApiValueError(what, hint=f"set {ways}, or give it as an argument")
