"""What is wrong in a file that a person wrote, in words: which key, and what would be right."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import inspect as types

PLACE = re.compile(r" - at `(key in )?\$(?P<path>.*)`$")
"""Where msgspec says that it is."""
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*?)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*?)`")


def mistake(kind: type, text: str) -> tuple[str, str]:
    """
    A sentence that names the key, and a hint.

    Args:
        kind: the Struct that the file was to be.
        text: of the `msgspec.ValidationError`.
    """
    place = PLACE.search(text)
    where = place["path"].lstrip(".") if place else ""
    what = PLACE.sub("", text)
    key, colon, wrong = what.partition(": ")
    if colon and key.partition(".")[0] in _fields_at(types.type_info(kind), where):  # the words of a `__post_init__`
        where, what = f"{where}.{key}" if where else key, wrong
    if unknown := _UNKNOWN.search(what):
        key = f"{where}.{unknown['name']}" if where else unknown["name"]
        known = _fields_at(types.type_info(kind), where)
        near = get_close_matches(unknown["name"], known, n=1, cutoff=0.5)
        return f"there is no key {key}", f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    if missing := _MISSING.search(what):
        key = f"{where}.{missing['name']}" if where else missing["name"]
        return f"the key {key} is missing", f"add {_line_of(types.type_info(kind), key)}"
    choices = _choices_at(types.type_info(kind), where) if what.startswith("Invalid enum value") else []
    hint = f"one of {', '.join(choices)}" if choices else "mend that value"
    return f"{where or 'the file'}: {what[:1].lower()}{what[1:]}", hint


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
