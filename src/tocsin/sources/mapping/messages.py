"""Messages for people that the pipe lets through: 512 of `a-z A-Z 0-9 . - _` and blank."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from tocsin.signals import limits
from tocsin.sources.errors import SourceError
from tocsin.sources.mapping.paths import compile_paths

_KEPT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_ "
# Signs that join two words join them still, and any other sign parts them.
_JOINING = {":": "-", "/": "-", "\\": "-", "+": "-", "@": "-", "=": "-", "~": "-", "*": "-"}
_TABLE = bytes(
    ord(chr(code)) if chr(code) in _KEPT else ord(_JOINING.get(chr(code), " ")) if code < 128 else 32
    for code in range(256)
)
_LOOSE = re.compile(r"(?<![\w.])-+(?= |$)|(?<= )-+(?![\w.])")
_PART = re.compile(r"\[(?P<optional>[^\[\]]*)\]|(?P<plain>[^\[\]]+)")
_FIELD = re.compile(r"\{(\w+)\}")
_MOST_KNOWN = 4096
NOTHING_TO_SAY = "no description"


def legal_message(text: str) -> str:
    """
    The message that says `text` as nearly as the pipe allows; legal and not empty, whatever `text` holds.

    Accents are taken off (NFKD), `:` `/` and their like become a dash, other signs a blank; blanks are collapsed, and
    what is too long is cut at the end of a word.
    """
    text = text[: 4 * limits.MESSAGE_CHARS]
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = text.encode("ascii", "replace").translate(_TABLE).decode()
    plain = " ".join(_LOOSE.sub(" ", " ".join(plain.split())).split())
    if len(plain) > limits.MESSAGE_CHARS:
        cut = plain[: limits.MESSAGE_CHARS + 1].rpartition(" ")[0]
        plain = cut or plain[: limits.MESSAGE_CHARS]
    return plain or NOTHING_TO_SAY


def compile_message(template: str, fields: Mapping[str, str]) -> Callable[[Any], str]:
    """
    A function that fills `template` for a record: `{name}` is a field, `[ ... ]` is left out when a field in it is.

    Args:
        fields: the path of each, by name.

    Raises: SourceError, when the template names a field that there is not, or a path is none.
    """
    names = tuple(dict.fromkeys(_FIELD.findall(template)))
    for name in names:
        if name not in fields:
            raise SourceError(f"{template!r} names {name}, and fields has none", hint=f"add fields.{name}")
    parts = [_Part(match) for match in _PART.finditer(template)]
    values_of = compile_paths([fields[name] for name in names])
    known = dict[tuple[Any, ...], str]()

    def said(values: tuple[Any, ...]) -> str:
        by_name = dict(zip(names, values, strict=True))
        return legal_message("".join([part.said(by_name) for part in parts]))

    def message(record: Any) -> str:
        # A tool has few rules: what is said of two records is mostly the same.
        values = values_of(record)
        try:
            if (found := known.get(values)) is not None:
                return found
        except TypeError:  # a list or an object among them
            return said(values)
        if len(known) >= _MOST_KNOWN:
            known.clear()
        found = known[values] = said(values)
        return found

    return message


class _Part:
    """Some of a template: literals, and the names of the fields between them."""

    def __init__(self, match: re.Match[str]) -> None:
        self._is_optional = match["optional"] is not None
        pieces = _FIELD.split(match["optional"] if self._is_optional else match["plain"])
        self._literals, self._names = pieces[::2], pieces[1::2]

    def said(self, values: Mapping[str, Any]) -> str:
        said = self._literals[0]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            value = values[name]
            if value is None or value == "" or value == []:
                if self._is_optional:
                    return ""
                value = ""
            said += _said(value) + literal
        return said


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(_said(one) for one in value[:5])
    return str(value) if isinstance(value, int | float) else ""
