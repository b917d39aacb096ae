"""What can be asked of the org over HTTP: the words that its OpenAPI document is made of, one operation a door."""

import re
from collections.abc import Mapping
from functools import cached_property
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


class Operation(Struct, frozen=True, kw_only=True, dict=True):
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
    head: bool = True
    """Whether a GET may be a HEAD."""
    links: Mapping[str, tuple[str, str]] = {}
    """For each operation id that the answer leads to: its parameter, and the member of the answer that fills it."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the paths of this operation."""
        parts = re.split(r"\{\w+\}", self.path)
        return re.compile("[^/]+".join(re.escape(part) for part in parts))

    @property
    def methods(self) -> tuple[str, ...]:
        """Its own method; HEAD comes with most GETs."""
        return ("GET", "HEAD") if self.method == "GET" and self.head else (self.method,)
