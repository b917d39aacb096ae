"""Rules that hold for every kind of journal: what may be appended, how much one read gives."""

import re
from collections.abc import Iterable

from tocsin.journal.protocol import MAX_ENTRY_BYTES, READ_BYTES, Entry

_TOPIC = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_QUOTED_CHARS = 60


def check_append(topic: str, body: bytes) -> None:
    """Raises ValueError, whose text says what is wrong, when `topic` or `body` may not be appended."""
    if not _TOPIC.fullmatch(topic):
        raise ValueError(f"{topic[:_QUOTED_CHARS]!r} is not a topic: words of a-z, 0-9, '-' and '_', joined by dots")
    if len(body) > MAX_ENTRY_BYTES:
        raise ValueError(f"{topic}: a body of {len(body)} bytes is too long, at most {MAX_ENTRY_BYTES} are allowed")


def check_topic_or_branch(topic: str) -> None:
    """Raises ValueError when `topic` is not whole words, with a dot at the end or without."""
    if not _TOPIC.fullmatch(topic.removesuffix(".")):
        raise ValueError(f"{topic[:_QUOTED_CHARS]!r} is neither a topic nor a branch: whole words, joined by dots")


def is_of(topic: str, asked: str) -> bool:
    """Whether `topic` is the one that was asked for, or of that branch."""
    return topic.startswith(asked) if asked.endswith(".") else topic == asked


def check_name(name: str) -> None:
    """Raises ValueError when `name` is not one word, as the words of a topic."""
    if "." in name or not _TOPIC.fullmatch(name):
        raise ValueError(f"{name[:_QUOTED_CHARS]!r} is not the name of a journal: a-z, 0-9, '-' and '_'")


def check_limit(limit: int) -> None:
    """Raises ValueError when `limit` asks for less than one entry."""
    if limit < 1:
        raise ValueError(f"a read of {limit} entries is none: ask for at least 1")


def one_batch(entries: Iterable[Entry]) -> list[Entry]:
    """The first of `entries`, at least one if there is any, cut before the bodies exceed `READ_BYTES`."""
    batch: list[Entry] = []
    room = READ_BYTES
    for entry in entries:
        room -= len(entry.body)
        if batch and room < 0:
            break
        batch.append(entry)
    return batch
