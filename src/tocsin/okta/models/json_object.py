"""What every model can do: be read from JSON, be written as JSON, be compared and shown."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self, overload

import msgspec

from tocsin.okta.exceptions import ApiTypeError, ApiValueError
from tocsin.signals import format_timestamp


class Field:
    """One documented property of a model."""

    __slots__ = ("default", "description", "name", "notes", "read", "read_only", "type_name", "wire")

    def __init__(
        self,
        type_name: str,
        *,
        name: str = "",
        default: Any = None,
        description: str = "",
        read: Callable[[Any], Any] | None = None,
        wire: str | None = None,
        notes: str = "",
    ) -> None:
        """
        Args:
            type_name, description, notes: as the pages print them; a note with `readonly` keeps it out of what is sent.
            name: the attribute.
            read: turns what was given into what is kept, and passes on what it cannot turn; None keeps what was given.
            wire: the name in JSON, when it is not the camelCase form of the attribute.
        """
        self.name = name
        self.type_name = type_name
        self.read = read
        self.description = description
        self.default = default
        self.wire = wire or camel(name)
        self.notes = notes
        self.read_only = "readonly" in notes


class JsonObject:
    """A JSON object of the API, with snake_case attributes."""

    __slots__ = ()

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    """By attribute, in the order of the page."""

    @classmethod
    def _of(cls, obj: Mapping[str, Any]) -> Self:
        """The model with the known members of `obj`."""
        raise NotImplementedError

    @overload
    @classmethod
    def from_dict(cls, obj: Mapping[str, Any]) -> Self: ...

    @overload
    @classmethod
    def from_dict(cls, obj: None) -> None: ...

    @classmethod
    def from_dict(cls, obj: Mapping[str, Any] | None) -> Self | None:
        """
        The model of a JSON object, in either spelling; unknown members are passed over, None gives None.

        Raises: ApiTypeError, when `obj` is not an object.
        """
        if obj is None:
            return None
        if not isinstance(obj, dict | Mapping):
            raise ApiTypeError(f"a {cls.__name__} is read from a JSON object, not from {type(obj).__name__}")
        return cls._of(obj)

    @classmethod
    def from_json(cls, json_str: str | bytes) -> Self | None:
        """Like `from_dict`, from JSON text. Raises ApiValueError when it is not JSON."""
        try:
            obj: Mapping[str, Any] | None = msgspec.json.decode(json_str)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ApiValueError(f"a {cls.__name__} cannot be read: {error}") from None
        return cls.from_dict(obj)

    def to_dict(self) -> dict[str, Any]:
        """What is sent: JSON names, times in the wire form, no read-only field and none that is None.

        Raises: ApiValueError, for a time without a zone.
        """
        return {name: _sent(value) for name, value in self.to_plain().items()}

    def to_plain(self) -> dict[str, Any]:
        """Like `to_dict`, with values as they were given, so that a check can say what is wrong with them."""
        values = ((declared, getattr(self, name)) for name, declared in self.FIELDS.items())
        return {
            declared.wire: plain(value) for declared, value in values if value is not None and not declared.read_only
        }

    def to_json(self) -> str:
        """The JSON text of `to_dict`."""
        return msgspec.json.encode(self.to_dict()).decode()

    def to_str(self) -> str:
        """`to_dict`, printed for reading."""
        from pprint import pformat

        return pformat(self.to_dict())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonObject) or type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]  # mutable, like a list

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.FIELDS)
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in values if value is not None)
        return f"{type(self).__name__}({shown})"


def plain(value: Any) -> Any:
    """`value` with every model in it as a dict in the wire spelling."""
    if isinstance(value, JsonObject):
        return value.to_plain()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _sent(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sent(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_sent(item) for item in value]
    if not isinstance(value, datetime):
        return str(value) if isinstance(value, str) else value
    try:
        return format_timestamp(value)
    except (TypeError, OverflowError):
        hint = "build it with tzinfo, for instance datetime.now(timezone.utc)"
        raise ApiValueError(f"{value} cannot be sent: it names no time zone, or lies outside UTC", hint=hint) from None


def _shown(value: Any) -> str:
    return repr(str(value)) if isinstance(value, str) else repr(value)


def camel(name: str) -> str:
    """The JSON spelling of an attribute."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
