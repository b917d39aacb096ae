"""What a `_with_http_info` method gives."""

from typing import Generic, TypeVar

from msgspec import Struct

from tocsin.okta.headers import Headers

T = TypeVar("T")

__all__ = ["ApiResponse"]


class ApiResponse(Struct, Generic[T], frozen=True):
    """An answer, with its parsed value beside it."""

    status_code: int
    headers: Headers
    data: T
    """The parsed body; None where the operation documents none."""
    raw_data: bytes
    """The body as it came."""
