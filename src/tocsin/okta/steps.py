"""What a call may ask of the client that drives it. Each step is answered with what came of it."""

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from tocsin.okta.exceptions import ConnectionException
from tocsin.okta.oauth.token import AccessToken
from tocsin.okta.request import Request
from tocsin.okta.rest import RESTResponse

T = TypeVar("T")


class Send(NamedTuple):
    """Send the request; answer with the response, or with why there is none."""

    request: Request


class Wait(NamedTuple):
    """Let this many seconds pass; answer with None."""

    seconds: float


class FetchToken(NamedTuple):
    """Get an access token; answer with it."""

    instead_of: AccessToken | None
    """A token that will not do; None when any will."""


Step = Send | Wait | FetchToken
Reply = RESTResponse | ConnectionException | AccessToken | None
Steps = Generator[Step, Reply, T]
