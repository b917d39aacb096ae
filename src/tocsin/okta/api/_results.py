"""From the last answer of a call to what a method returns."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from tocsin.okta.api_response import ApiResponse
from tocsin.okta.exceptions import ApiException, UnexpectedAnswerException
from tocsin.okta.models.risk_provider import RiskProvider
from tocsin.okta.rest import RESTResponse

T = TypeVar("T")


def with_info(parse: Callable[[RESTResponse], T]) -> Callable[[RESTResponse], ApiResponse[T]]:
    """`parse`, with status, headers and body kept beside its value."""

    def finish(response: RESTResponse) -> ApiResponse[T]:
        return ApiResponse(response.status, response.headers, parse(response), response.data)

    return finish


def raw(response: RESTResponse) -> RESTResponse:
    """The answer itself, whatever its status."""
    return response


def nothing(response: RESTResponse) -> None:
    """Checks that it is a success."""
    _value(response)


def provider(response: RESTResponse) -> RiskProvider:
    """The provider in the body."""
    value = _value(response)
    if not isinstance(value, dict):
        raise _unexpected(response)
    return RiskProvider.from_dict(value)


def providers(response: RESTResponse) -> list[RiskProvider]:
    """The providers in the body."""
    value = _value(response)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _unexpected(response)
    return [RiskProvider.from_dict(item) for item in value]


def _value(response: RESTResponse) -> Any:
    """The JSON of a success, None for an empty one. A page of HTML under a 200 is no success: nothing was taken."""
    if not 200 <= response.status <= 299:
        ApiException.from_response(http_resp=response, data=_json_or_none(response.data))
    if not response.data:
        return None
    try:
        return msgspec.json.decode(response.data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _unexpected(response) from None


def _json_or_none(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _unexpected(response: RESTResponse) -> UnexpectedAnswerException:
    reason = f"{response.reason}, with a body that is not what the API documents"
    return UnexpectedAnswerException(reason=reason, http_resp=response)
