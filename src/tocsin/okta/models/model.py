"""What all models but one share: fields declared once, with both spellings of every name.

A model keeps what it is given, so an empty or half-filled one can be built, as the documented example does; what is
wrong with it is said when it is sent. Reading is lenient: unknown members and unknown words of an answer pass.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from tocsin.okta.exceptions import ApiAttributeError, ApiTypeError
from tocsin.okta.models.json_object import Field, JsonObject, camel
from tocsin.signals import parse_timestamp

M = TypeVar("M", bound=JsonObject)


def field(
    type_name: str,
    *,
    default: Any,
    description: str = "",
    read: Callable[[Any], Any] | None = None,
    wire: str | None = None,
    notes: str = "",
) -> Any:
    """Declare a field, see `Field`. `default` is named in every call, since type checkers look for it there."""
    return Field(type_name, default=default, description=description, read=read, wire=wire, notes=notes)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class Model(JsonObject):
    """A JSON object whose fields are declared with `field`."""

    _spellings: ClassVar[Mapping[str, tuple[str, Callable[[Any], Any] | None]]] = {}
    """By either spelling of a name: the attribute, and how its values are read."""

    def __init_subclass__(cls) -> None:
        fields = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
        for name, declared in fields.items():
            declared.name, declared.wire = name, declared.wire or camel(name)
            setattr(cls, name, declared.default)
        cls.FIELDS = fields
        both = [(name, declared) for declared in fields.values() for name in (declared.name, declared.wire)]
        cls._spellings = {name: (declared.name, declared.read) for name, declared in both}

    def __init__(self, /, **values: Any) -> None:
        if unknown := self._keep(values):
            raise ApiTypeError(f"{type(self).__name__} has no field {unknown!r}", hint=self._known())

    def __setattr__(self, name: str, value: Any) -> None:
        declared = self.FIELDS.get(name)
        if declared is None:
            raise ApiAttributeError(f"{type(self).__name__} has no field {name!r}", hint=self._known())
        self.__dict__[name] = declared.read(value) if declared.read else value

    @classmethod
    def _of(cls, obj: Mapping[str, Any]) -> Self:
        model = cls.__new__(cls)
        model._keep(obj)
        return model

    def _keep(self, values: Mapping[str, Any]) -> str | None:
        """Keep the values of known fields; the name of the last that is not known, if any."""
        unknown = None
        for name, value in values.items():
            if name in self._spellings:
                attribute, read = self._spellings[name]
                self.__dict__[attribute] = read(value) if read else value
            else:
                unknown = name
        return unknown

    @classmethod
    def _known(cls) -> str:
        return f"its fields are {', '.join(cls.FIELDS)}"


def as_moment(value: Any) -> Any:
    """An RFC 3339 string as a datetime, the printed form `2021-01-05 22:18:30` read as UTC; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_timestamp(value)
    except ValueError:
        pass
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return value


def as_model(model: type[M]) -> Callable[[Any], Any]:
    """Reads a JSON object as `model`; anything else stays as it is."""
    return lambda value: model.from_dict(value) if isinstance(value, dict | Mapping) else value


def as_list_of(model: type[M]) -> Callable[[Any], Any]:
    """Reads each JSON object of a list as `model`; the list is a new one."""
    one = as_model(model)

    def read(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return list(value) if set(map(type, value)) == {model} else [one(item) for item in value]

    return read
