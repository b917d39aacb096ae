"""What the models that are one word of a list share."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Self

import msgspec

from tocsin.okta.exceptions import ApiValueError


class Word(StrEnum):
    """A string of the API that is one of a list."""

    @classmethod
    def from_json(cls, json_str: str) -> Self:
        """The word of a JSON string. Raises ApiValueError when it is not one of the list."""
        try:
            return cls(msgspec.json.decode(json_str))
        except (msgspec.DecodeError, ValueError):
            raise ApiValueError(f"{json_str[:30]} is not one of {', '.join(cls)}") from None


def as_word(words: type[Word]) -> Callable[[Any], Any]:
    """Reads a known word as its member; anything else stays as it is, since an org may learn words we do not know."""
    members: dict[str, Any] = {word.value: word for word in words}
    return lambda value: members.get(value, value) if type(value) is str else value
