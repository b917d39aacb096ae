"""What can be asked of the org over HTTP: the words that its OpenAPI document is made of, one operation a door."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

JSON = "application/json"


class Parameter(Struct, frozen=True):
    """A value in the path, the query or a header."""

    name: str
    where: Literal["path", "query", "header"]
    text: str
    type: Any = str
    """What msgspec makes a JSON schema of."""
    required: bool = False
    example: Any = None


class Answer(Struct, frozen=True):
    """One answer that is not a refusal."""

    text: str
    body: Any = None
    """Type of the body; None for an empty one, or one that is no JSON."""
    media: str = JSON
    headers: Mapping[str, str] = {}
    """What each header says, by name."""


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    id: str
    method: str
    path: str
    """A name in braces stands for one segment."""
    tag: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    """Type of the body; None when it takes none."""
    body_media: str = JSON
    body_example: Any = None
    """Of JSON, or the fields of a form."""
    answers: Mapping[int, Answer]
    refusals: Mapping[int, Answer] = {}
    """Where they are not what access and body bring with them."""
    asked_by: Literal["anyone", "principal", "bouncer", "client"] = "principal"
    links: Mapping[str, tuple[str, str]] = {}
    """For each operation id that the answer leads to: its parameter, and the member of the answer that fills it."""
