"""The formats Tocsin reads, and how to tell which one an input is in."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tocsin.sources import ipsum, jsonl
from tocsin.sources.errors import SourceError
from tocsin.sources.reading import Reader, Reading


class Format(NamedTuple):
    """One input format."""

    name: str
    title: str
    example: str
    recognises: Callable[[Sequence[str]], bool]
    """Says yes or no to the first lines of an input."""
    reader: Callable[[Reading], Reader]


FORMATS = (
    Format(
        "ipsum",
        "the ipsum list: an address, a tab, on how many blocklists it stands (5: HIGH, 3: MEDIUM, 2: LOW; 48 h)",
        ipsum.EXAMPLE,
        ipsum.recognises,
        ipsum.IpsumReader,
    ),
    Format(
        "jsonl",
        "Tocsin's own: a JSON object per line; message, timestamp and expiresAt may be absent (24 h)",
        jsonl.EXAMPLE,
        jsonl.recognises,
        jsonl.JsonlReader,
    ),
)


def format_named(name: str) -> Format:
    """Raises: SourceError, which lists the names there are."""
    for known in FORMATS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise SourceError(f"{name!r} is no format that Tocsin reads", hint=f"one of {names}; `tocsin formats` shows them")


def format_of(sample: Sequence[str], *, name: str) -> Format:
    """
    The format of an input that begins with the lines `sample`; `name` is what to call it.

    Raises: SourceError, when no format knows it.
    """
    if not any(text.strip() for text in sample):
        raise SourceError(f"{name} is empty", hint="if an empty list is what you mean, name its format with --format")
    for known in FORMATS:
        if known.recognises(sample):
            return known
    hint = "`tocsin formats` shows them with an example each; --format NAME reads it as one of them nevertheless"
    raise SourceError(f"{name} is in no format that Tocsin knows by its content", hint=hint)
