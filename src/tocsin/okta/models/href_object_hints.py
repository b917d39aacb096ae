"""What a link may be used for."""

from typing import Any

from tocsin.okta.models.http_method import HttpMethod
from tocsin.okta.models.model import Model, field
from tocsin.okta.models.word import as_word

__all__ = ["HrefObjectHints"]


_method = as_word(HttpMethod)


def _methods(value: Any) -> Any:
    return [_method(item) for item in value] if isinstance(value, list | tuple) else value


class HrefObjectHints(Model):
    """The verbs that the target of a link takes."""

    allow: list[HttpMethod | str] | None = field(
        "List[HttpMethod]",
        default=None,
        description="The verbs that the target takes",
        read=_methods,
        notes="[optional]",
    )
