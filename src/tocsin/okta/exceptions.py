"""What can go wrong in a call.

OpenApiException                      the root; also a tocsin.errors.TocsinError
├── ApiTypeError, ApiAttributeError, ApiKeyError
├── ApiValueError                     an argument or setting that cannot work; raised before any network I/O
│   ├── InvalidInstance               risk events or a provider that break the rules; `.problems` has them all
│   └── InsecureHostError             a credential would go out over plain http
└── ApiException                      the org's answer, or the want of one
    ├── BadRequestException           400
    ├── UnauthorizedException         401
    ├── ForbiddenException            403
    │   └── MissingScopeException     the access token lacks the scope of the call, which was not sent
    ├── NotFoundException             404
    ├── ConflictException             409
    ├── UnprocessableEntityException  422
    ├── TooManyRequestsException      429
    ├── ServiceException              500 to 599
    ├── TokenException                the token endpoint refused the client, with any status; the call was not sent
    ├── RedirectException             a redirect that must not be followed
    ├── UnexpectedAnswerException     success, with a body that is not what the page documents
    └── ConnectionException           no answer: status is None
        ├── TimeoutException
        ├── TlsException
        └── ConnectionLostException   the connection broke while the answer was awaited
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from tocsin.errors import TocsinError
from tocsin.okta.error_body import OktaError, okta_error
from tocsin.okta.headers import Headers
from tocsin.okta.rate_limit import wait_asked_s
from tocsin.okta.rest_response import RESTResponse
from tocsin.signals import InvalidSignals, Problem

__all__ = [
    "ApiAttributeError",
    "ApiException",
    "ApiKeyError",
    "ApiTypeError",
    "ApiValueError",
    "BadRequestException",
    "ConflictException",
    "ConnectionException",
    "ConnectionLostException",
    "ForbiddenException",
    "InsecureHostError",
    "InvalidInstance",
    "MissingScopeException",
    "NotFoundException",
    "OpenApiException",
    "RedirectException",
    "ServiceException",
    "TimeoutException",
    "TlsException",
    "TokenException",
    "TooManyRequestsException",
    "UnauthorizedException",
    "UnexpectedAnswerException",
    "UnprocessableEntityException",
]

_BODY_CHARS_SHOWN = 2000


class OpenApiException(TocsinError):
    """The base of every error of the SDK."""


class ApiTypeError(OpenApiException, TypeError):
    """An argument of a type that cannot work."""


class ApiValueError(OpenApiException, ValueError):
    """An argument or a setting with a value that cannot work."""


class ApiAttributeError(OpenApiException, AttributeError):
    """A model has no field of this name."""


class ApiKeyError(OpenApiException, KeyError):
    """A mapping has no such key."""

    __str__ = Exception.__str__  # KeyError shows the repr of its message


class InvalidInstance(ApiValueError, InvalidSignals):
    """What was to be sent breaks the rules of the API. `problems` lists them all; nothing was sent."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        InvalidSignals.__init__(self, problems)
        self.args = (f"{what}, nothing was sent: {self.args[0]}",)
        self.hint = "`problems` of this error lists everything that is wrong, with the path of each"


class InsecureHostError(ApiValueError):
    """A credential would travel in the clear. Nothing was sent."""


class ApiException(OpenApiException):
    """
    The org refused, or did not answer.

    Attributes: `status` (None without an answer), `reason`, `headers`, `body` (text), `data` (parsed JSON, if any),
    `url`, and `error`, the parsed reason, whose parts are also here as `error_code`, `error_summary`, `error_id`
    and `error_causes`.
    """

    hint_for_status: str | None = None
    about_token: bool = False
    """Whether it is about getting an access token: what status and headers say is then not about the call."""

    def __init__(
        self,
        status: int | None = None,
        reason: str | None = None,
        http_resp: RESTResponse | None = None,
        *,
        body: str | None = None,
        data: Any = None,
        hint: str | None = None,
    ) -> None:
        self.status = status if status is not None or http_resp is None else http_resp.status
        self.reason = reason if reason is not None or http_resp is None else http_resp.reason
        self.headers = Headers() if http_resp is None else http_resp.headers
        self.url = None if http_resp is None else http_resp.url
        raw = b"" if http_resp is None else http_resp.data
        self.body = raw.decode(errors="replace") if body is None else body
        self.data = data
        self.error: OktaError | None = okta_error(raw or self.body.encode(errors="replace"), self.headers)
        super().__init__(self.summary, hint=hint or self.hint_for_status)

    @classmethod
    def from_response(cls, *, http_resp: RESTResponse, body: str | None = None, data: Any = None) -> NoReturn:
        """Raise the class that belongs to the status of `http_resp`."""
        raise class_for(http_resp.status)(http_resp=http_resp, body=body, data=data)

    @property
    def error_code(self) -> str | None:
        """Okta's code, such as `E0000001`; the one field to branch on."""
        return self.error.error_code if self.error else None

    @property
    def error_summary(self) -> str | None:
        """Okta's sentence for the code."""
        return self.error.error_summary if self.error else None

    @property
    def error_id(self) -> str | None:
        """The id to give Okta's support."""
        return self.error.error_id if self.error else None

    @property
    def error_causes(self) -> list[str]:
        """One sentence per problem; empty when the answer names none."""
        return list(self.error.error_causes) if self.error else []

    @property
    def summary(self) -> str:
        """All of it in one line, for a log or a terminal; `str` gives the documented form of several lines."""
        place = (self.url or "the org").split("?", 1)[0]
        line = f"{place} answered {self.status} {self.reason or ''}".rstrip()
        return f"{line}: {self.error}" if self.error else line

    def __str__(self) -> str:
        lines = [f"({self.status})", f"Reason: {self.reason}"]
        if self.error:
            lines.append(f"Okta says: {self.error}")
        if self.headers:
            lines.append(f"HTTP response headers: {self.headers!r}")
        if self.body:
            lines.append(f"HTTP response body: {self.body[:_BODY_CHARS_SHOWN]}")
        return "\n".join(lines) + "\n"


class BadRequestException(ApiException):
    """400: the org did not understand, or a rule of a field is broken. Repeating it will not help."""

    hint_for_status = "mend what the causes name; the same request will be refused again"


class UnauthorizedException(ApiException):
    """401: the credential is unknown, expired or revoked."""

    hint_for_status = "check that the token is of this org and still valid, and that its kind is right (SSWS or Bearer)"


class ForbiddenException(ApiException):
    """403: the credential is known and may not do this."""

    hint_for_status = (
        "check that a credential was configured, that its role or scope allows this, and that the org has a risk "
        "provider for it"
    )


class MissingScopeException(ForbiddenException):
    """
    The access token lacks the scope that the call needs. The call was not sent; `status` is what it would have met.

    Okta does not refuse a token request over a scope that is not granted to the app: it leaves that scope out.

    Attributes: `missing`, `asked` and `granted`, names of scopes.
    """

    about_token = True

    def __init__(self, operation: str, missing: str, *, asked: Sequence[str], granted: Sequence[str]) -> None:
        self.missing = missing
        self.asked = tuple(asked)
        self.granted = tuple(granted)
        was_asked = missing in self.asked
        story = "it was asked for, and the org left it out" if was_asked else "it was not asked for"
        self._message = (
            f"{operation} needs the scope {missing}, and the access token does not have it: {story} "
            f"(granted: {', '.join(self.granted) or 'none'})"
        )
        grant = f"grant {missing} to the app in the org (Okta API Scopes)"
        super().__init__(403, self._message, hint=grant if was_asked else f"add {missing} to `scopes`, and {grant}")

    @property
    def summary(self) -> str:
        """The scope that is missing, and why."""
        return self._message

    def __str__(self) -> str:
        return self._message


class NotFoundException(ApiException):
    """404: no such object, or no such path on this host."""

    hint_for_status = (
        "check the id, that the host has no path after it, and that the org has this API (Okta dropped it in 2025)"
    )


class ConflictException(ApiException):
    """409: what was asked clashes with what is there."""


class UnprocessableEntityException(ApiException):
    """422: well-formed, and refused for what it says."""


class TooManyRequestsException(ApiException):
    """429: the window is used up, and retrying is off, spent, or would wait longer than is allowed."""

    hint_for_status = "send again when the window has ended (`retry_after_s`), with fuller requests: 20 events of 50"

    @property
    def retry_after_s(self) -> float | None:
        """Seconds, counted from this answer, after which the org takes requests again; None when it did not say."""
        return wait_asked_s(429, self.headers, now=datetime.now(UTC))


class ServiceException(ApiException):
    """5xx: the fault is the org's, or of something between here and there."""

    hint_for_status = "the org or a proxy before it is in trouble: try again later"


class TokenException(ApiException):
    """
    The token endpoint refused the client (RFC 6749, 5.2). The call that wanted the token was not sent.

    `error_code` is the OAuth error, such as `invalid_client`. `status` is that of the token endpoint: a 400 here says
    nothing about the body of the call.
    """

    @property
    def error_description(self) -> str | None:
        """The sentence that came with the error."""
        return self.error_summary


class RedirectException(ApiException):
    """A redirect that was not followed, because it would lose the request or show a credential to another host."""


class UnexpectedAnswerException(ApiException):
    """A success whose body is not what the API documents; something else than an org may have answered."""

    hint_for_status = "check that the host is an org, and that no proxy or login page answers in its place"


class ConnectionException(ApiException):
    """No answer. `status` is None, and the request may or may not have arrived when the connection broke."""

    def __init__(self, message: str, *, hint: str) -> None:
        self._message = message
        super().__init__(reason=message, hint=hint)

    @property
    def summary(self) -> str:
        """The host and what happened."""
        return self._message

    def __str__(self) -> str:
        return self._message


class TimeoutException(ConnectionException):
    """The org did not take the connection, or did not answer, in the time allowed."""


class TlsException(ConnectionException):
    """The TLS handshake failed, most often over a certificate that is not trusted."""


class ConnectionLostException(ConnectionException):
    """The connection was there and broke before the whole answer came."""


_CLASSES: dict[int, type[ApiException]] = {
    400: BadRequestException,
    401: UnauthorizedException,
    403: ForbiddenException,
    404: NotFoundException,
    409: ConflictException,
    422: UnprocessableEntityException,
    429: TooManyRequestsException,
}


def class_for(status: int) -> type[ApiException]:
    """The class that an answer with this status is raised as."""
    if 500 <= status <= 599:
        return ServiceException
    return _CLASSES.get(status, ApiException)
