"""Reads a configuration file (TOML) into a struct whose types hold the limits; a typo stops the start."""

import re
import tomllib
from collections.abc import Iterable
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from tocsin.errors import TocsinError

_MAX_FILE_BYTES = 1024 * 1024
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*?)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*?)`")
_PLACE = re.compile(r" - at `(key in )?\$(?P<path>.*)`$")
_Config = TypeVar("_Config")


class ConfigError(TocsinError):
    """A configuration file cannot be used. Nothing was started or changed."""


def load_config(path: Path, kind: type[_Config]) -> _Config:
    """
    The configuration in the TOML file `path`.

    Args:
        kind: a Struct with `forbid_unknown_fields` and `rename=None`; its types carry the limits. What its
            `__post_init__` refuses begins with the key that is wrong and a colon.
    Raises: ConfigError, which names file, key and what is expected, and for an unknown key the nearest one there is.
    """
    values = _read(path)
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refused(path, kind, _named(values, kind, str(error))) from None


def _named(values: dict[str, Any], kind: type, text: str) -> str:
    """The text of an error with the name of the table it is about, where the decoder writes `[...]`."""
    if (place := _PLACE.search(text)) and "[...]" in place["path"]:
        before = place["path"].partition("[...]")[0]
        name = next(name for name in _at(values, before) if _fails_alike(values, before, name, kind, text))
        text = text.replace("[...]", f".{name}", 1)
    return text


def _at(values: Any, path: str) -> Any:
    for step in path.strip(".").split("."):
        values = values[step]
    return values


def _fails_alike(values: dict[str, Any], path: str, name: str, kind: type, text: str) -> bool:
    """Whether the same is wrong when of the tables at `path` there is only the one of that name."""
    alone = deepcopy(values)
    tables = _at(alone, path)
    for other in tables.keys() - {name}:
        del tables[other]
    try:
        msgspec.convert(alone, kind)
    except msgspec.ValidationError as error:
        return str(error) == text
    return False


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="name a configuration file in TOML form") from None
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than 1 MiB", hint="name a configuration file in TOML form")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8", hint="name a configuration file in TOML form") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", hint="strings stand in quotes, tables in brackets") from None


def _refused(path: Path, kind: type, text: str) -> ConfigError:
    place = _PLACE.search(text)
    where = place["path"].lstrip(".") if place else ""
    what = _PLACE.sub("", text)
    key, colon, wrong = what.partition(": ")
    if colon and key.partition(".")[0] in _fields_at(types.type_info(kind), where):  # the words of a `__post_init__`
        where, what = f"{where}.{key}" if where else key, wrong
    if unknown := _UNKNOWN.search(what):
        key = f"{where}.{unknown['name']}" if where else unknown["name"]
        known = _fields_at(types.type_info(kind), where)
        near = get_close_matches(unknown["name"], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
        return ConfigError(f"{path}: there is no key {key}", hint=hint)
    if missing := _MISSING.search(what):
        key = f"{where}.{missing['name']}" if where else missing["name"]
        return ConfigError(f"{path}: the key {key} is missing", hint=f"add {_line_of(types.type_info(kind), key)}")
    choices = _choices_at(types.type_info(kind), where) if what.startswith("Invalid enum value") else []
    hint = f"one of {', '.join(choices)}" if choices else "mend that value"
    return ConfigError(f"{path}: {where or 'the file'}: {what[:1].lower()}{what[1:]}", hint=hint)


def _line_of(kind: types.Type, key: str) -> str:
    """What a line looks like that begins or has that key."""
    found = _types_at(kind, key)
    if any(isinstance(one, types.DictType) for at in found for one in _each(at)):
        return f"a table [{key}.NAME]"
    is_table = any(_structs(at) for at in found)
    return f"a table [{key}]" if is_table else f"{key.rpartition('.')[2]} = ..."


def _fields_at(kind: types.Type, where: str) -> list[str]:
    """The keys that a table may have, all of them when its place can be one of several kinds."""
    return [field.encode_name for one in _types_at(kind, where) for struct in _structs(one) for field in struct.fields]


def _choices_at(kind: types.Type, where: str) -> list[str]:
    """What may stand where the value is one of a few words."""
    one_of = (choice for at in _types_at(kind, where) for choice in _each(at))
    return [str(word) for one in one_of for word in _words(one)]


def _words(kind: types.Type) -> Iterable[object]:
    match kind:
        case types.EnumType():
            return [member.value for member in kind.cls]
        case types.LiteralType():
            return kind.values
    return ()


def _types_at(kind: types.Type, where: str) -> list[types.Type]:
    at = [kind]
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", where):
        at = [deeper for one in at for deeper in _step(one, step)]
    return at


def _step(kind: types.Type, step: str) -> list[types.Type]:
    found: list[types.Type] = []
    for one in _each(kind):
        match one:
            case types.StructType():
                found += [field.type for field in one.fields if field.encode_name == step]
            case types.ListType() | types.VarTupleType():
                found.append(one.item_type)
            case types.DictType():
                found.append(one.value_type)
    return found


def _structs(kind: types.Type) -> list[types.StructType]:
    return [one for one in _each(kind) if isinstance(one, types.StructType)]


def _each(kind: types.Type) -> Iterable[types.Type]:
    return kind.types if isinstance(kind, types.UnionType) else (kind,)
