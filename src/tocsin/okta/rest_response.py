"""The answer to one request, as it came."""

from tocsin.okta.headers import Headers
from tocsin.okta.rate_limit import RateLimit, rate_limit


class RESTResponse:
    """Status, headers and the whole body; nothing is parsed."""

    __slots__ = ("data", "headers", "reason", "status", "url")

    def __init__(self, status: int, reason: str, headers: Headers, data: bytes, *, url: str) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.data = data
        self.url = url

    @property
    def rate_limit(self) -> RateLimit:
        """The rate headers as numbers, None where the org sent none."""
        return rate_limit(self.headers)

    def read(self) -> bytes:
        """The body."""
        return self.data

    def getheaders(self) -> Headers:
        """The headers, as a mapping that does not care about case."""
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """The value of one header, or `default`."""
        return self.headers.get(name, default)

    def __repr__(self) -> str:
        return f"<RESTResponse {self.status} {self.reason}: {len(self.data)} bytes>"
