"""The free search of the System Log, `q`: whether an event holds all of some keywords. Pure. Source: spec 5.1.

A keyword is met by a value of the event that is the same, blanks aside, or has it as a word; upper and lower case are
the same. What words are is our choice (U): what blanks, quotes, brackets, `=`, `,` and `;` divide, and the parts of
that between hyphens.
"""

import re
from collections.abc import Iterator, Mapping

from tocsin.errors import TocsinError

MOST_KEYWORDS = 10
MOST_KEYWORD_CHARS = 40
_DIVIDERS = re.compile(r"[\s\"'(){}\[\]<>=,;|]+")


class BadKeywords(TocsinError):
    """Keywords that are too many or too long; the text is what the API answers."""


def parse_keywords(text: str) -> tuple[str, ...]:
    """The keywords of a `q`. Raises BadKeywords."""
    keywords = text.lower().split()
    if any(len(keyword) > MOST_KEYWORD_CHARS for keyword in keywords):
        raise BadKeywords(
            f"Freeform search cannot contain items longer than {MOST_KEYWORD_CHARS} characters. Please shorten the "
            "items in your search or use an advanced filter to query by specific fields."
        )
    if len(keywords) > MOST_KEYWORDS:
        raise BadKeywords(f"Freeform search cannot contain more than {MOST_KEYWORDS} items.")
    return tuple(keywords)


def holds(keywords: tuple[str, ...], event: object) -> bool:
    """Whether every keyword is met by a value of `event`, as JSON has it."""
    missing = set(keywords)
    for value in _values(event):
        missing = {keyword for keyword in missing if not (keyword in value and _has(value, keyword))}
        if not missing:
            return True
    return not missing


def _has(value: str, keyword: str) -> bool:
    if keyword in value.split():
        return True
    words = set(_DIVIDERS.split(value))
    return keyword in words or any(keyword in word.split("-") for word in words if "-" in word)


def _values(event: object) -> Iterator[str]:
    match event:
        case str():
            yield event.lower()
        case Mapping():
            for value in event.values():
                yield from _values(value)
        case list():
            for value in event:
                yield from _values(value)
        case bool():
            yield "true" if event else "false"
        case int() | float():
            yield str(event)
        case _:
            return
