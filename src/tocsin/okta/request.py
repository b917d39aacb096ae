"""From a call to the request that goes out: URL, headers, credential. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict
from urllib.parse import quote, urlsplit

from tocsin.loopback import is_loopback
from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import ApiValueError, InsecureHostError
from tocsin.okta.oauth.token import AccessToken
from tocsin.okta.operations import Operation
from tocsin.okta.settings import Seconds, checked_host, checked_timeout

_CREDENTIALS = frozenset({"authorization", "cookie"})
_JSON = "application/json"


class PerCall(TypedDict, total=False):
    """What every method takes beside its own arguments, for this one call."""

    _request_timeout: Seconds | None
    """Seconds to connect and for every read: one number, or a pair (connect, read)."""
    _request_auth: Mapping[str, Any] | None
    """An entry like those of `Configuration.auth_settings()`, used instead of them; `{}` sends no credential."""
    _content_type: str | None
    """Content-Type to send, in place of application/json."""
    _headers: Mapping[str, str] | None
    """Headers to add, or to send in place of those with the same name."""
    _host_index: int | None
    """0, since each operation has one host; choose hosts with `Configuration.server_index`."""


class Call(NamedTuple):
    """An operation with its arguments, checked."""

    operation: Operation
    path: str
    body: bytes | None
    options: PerCall


class Request(NamedTuple):
    """What goes out."""

    method: str
    url: str
    headers: dict[str, tuple[str, str]]
    """By lower-case name: the name as sent, and the value."""
    body: bytes | None
    timeout_s: tuple[float, float]
    """(connect, read)."""
    secret_body: bool = False
    """Whether the body alone lets someone act as the caller."""

    def with_header(self, name: str, value: str) -> "Request":
        """The same with one header set."""
        return self._replace(headers=self.headers | {name.lower(): (name, checked_value(name, value))})

    def __repr__(self) -> str:
        # No header and no body: a traceback or a log that shows this must not show the credential.
        return f"<Request {self.method} {self.url}: {len(self.body or b'')} bytes>"

    @property
    def carries_credential(self) -> bool:
        """Whether someone who reads this request can act as the caller."""
        return self.secret_body or not _CREDENTIALS.isdisjoint(self.headers)


def filled_path(operation: Operation, risk_provider_id: str | None) -> str:
    """The path with its parameter in it. Raises ApiValueError for an id that would name another path."""
    if "{" not in operation.path:
        return operation.path
    if not isinstance(risk_provider_id, str) or risk_provider_id.strip(". ") == "":
        hint = "give the `id` of a provider, as list_risk_providers() shows it"
        raise ApiValueError(f"{risk_provider_id!r} is not the id of a risk provider", hint=hint)
    return operation.path.replace("{riskProviderId}", quote(risk_provider_id, safe=""))


def wants_token(call: Call, configuration: Configuration) -> bool:
    """Whether the credential is an access token that has to be fetched."""
    return (
        (configuration.token_source is not None or bool(configuration.client_id or configuration.private_key))
        and not configuration.access_token
        and call.options.get("_request_auth") is None
    )


def prepare(
    call: Call, configuration: Configuration, default_headers: Mapping[str, str], token: AccessToken | None
) -> Request:
    """
    The request of a call; `token` is the one that was fetched for it.

    Raises: ApiValueError, for a host, a header or a timeout that cannot work; InsecureHostError.
    """
    options = call.options
    if options.get("_host_index") not in (None, 0):
        raise ApiValueError(f"there is no host {options['_host_index']}: this operation has one, number 0")
    timeout_s = options.get("_request_timeout")
    request = Request(
        method=call.operation.method,
        url=checked_host(configuration.host_for(call.operation.operation_id)) + call.path,
        headers=_headers(call, default_headers, _credential(options, configuration, token)),
        body=call.body,
        timeout_s=checked_timeout(configuration.timeout_s if timeout_s is None else timeout_s),
    )
    refuse_clear_text(request, configuration)
    return request


def refuse_clear_text(request: Request, configuration: Configuration) -> None:
    """Raises InsecureHostError when a credential would be readable on the way."""
    if request.carries_credential:
        refuse_clear_url(request.url, configuration)


def refuse_clear_url(url: str, configuration: Configuration) -> None:
    """Raises InsecureHostError when what is sent to `url` would be readable on the way."""
    if configuration.allow_insecure_http:
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or (is_loopback(host) and not configuration.proxy):
        return
    hint = "use https, or set allow_insecure_http=True when nobody else is on the way"
    raise InsecureHostError(f"{host} is reached over plain http, so the credential was not sent", hint=hint)


def checked_value(name: str, value: Any) -> str:
    """`value` when it can be sent as a header. Raises ApiValueError, which does not quote it: it may be a secret."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip():
        return value
    what = "the credential" if name.lower() in _CREDENTIALS else f"the header {name}"
    hint = "only printable ASCII goes in a header: was a line break or a blank read along with it?"
    raise ApiValueError(f"{what} cannot be sent: it holds a character that headers do not allow", hint=hint)


def _headers(
    call: Call, default_headers: Mapping[str, str], credential: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    own = {"Accept": _JSON}
    if call.body is not None:
        own["Content-Type"] = call.options.get("_content_type") or _JSON
    given = call.options.get("_headers") or {}
    # Later ones win, whatever the case their names are written in.
    return {
        name.lower(): (name, checked_value(name, value))
        for headers in (own, default_headers, credential, given)
        for name, value in headers.items()
    }


def _credential(options: PerCall, configuration: Configuration, token: AccessToken | None) -> Mapping[str, str]:
    chosen = options.get("_request_auth")
    if chosen is not None:
        return _from_entry(chosen) if chosen else {}
    if configuration.access_token:
        return {"Authorization": f"Bearer {configuration.access_token}"}
    if token is not None:
        return {"Authorization": token.authorization}
    key = configuration.get_api_key_with_prefix("apiToken")
    return {"Authorization": key} if key else {}


def _from_entry(entry: Mapping[str, Any]) -> Mapping[str, str]:
    try:
        place, name, value = entry["in"], entry["key"], entry["value"]
    except KeyError as error:
        hint = "it has `in`, `key` and `value`, like the entries of Configuration.auth_settings()"
        raise ApiValueError(f"_request_auth has no {error}", hint=hint) from None
    if place == "header":
        return {str(name): value}
    if place == "cookie":
        return {"Cookie": value}
    raise ApiValueError(
        f"a credential cannot be sent in {str(place)[:20]!r}",
        hint="send it in a `header` or a `cookie`: URLs are logged on the way",
    )
