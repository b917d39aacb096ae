"""Reads a configuration file (TOML) into a struct whose types hold the limits; a typo stops the start."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tocsin.errors import TocsinError
from tocsin.mistakes import PLACE, mistake

_MAX_FILE_BYTES = 1024 * 1024
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
        what, hint = mistake(kind, _named(values, kind, str(error)))
        raise ConfigError(f"{path}: {what}", hint=hint) from None


def _named(values: dict[str, Any], kind: type, text: str) -> str:
    """The text of an error with the name of the table it is about, where the decoder writes `[...]`."""
    if (place := PLACE.search(text)) and "[...]" in place["path"]:
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
