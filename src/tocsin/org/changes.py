"""Changes of the directory: read, decide, append, and decide again when another writer was quicker.

What must be unique or bounded is so across processes and nodes, because an append names the last entry of its topic
that the decision knew.
"""

from collections.abc import Callable
from typing import TypeVar

from tocsin.journal import Journal, JournalConflict
from tocsin.org.errors import OrgError
from tocsin.org.projector import Projector
from tocsin.org.records import Record, encode_record
from tocsin.signals.limits import NAME_CHARS

_Record = TypeVar("_Record", bound=Record)


class NameTaken(OrgError):
    """Another one has this name. Nothing was changed."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is a {what} named {name!r} already", hint="choose another name")


def check_name(what: str, name: str) -> None:
    """Raise OrgError for a name that a `what` cannot have."""
    if not name.strip() or not name.isprintable() or len(name) > NAME_CHARS:
        raise OrgError(f"a {what}'s name has 1 to {NAME_CHARS} printable characters, not {name[:60]!r}")


class Changes:
    """Appends to one journal what is decided by its projections."""

    def __init__(self, journal: Journal, projector: Projector) -> None:
        """The directory is the first projection of `projector`."""
        self._journal = journal
        self._projector = projector

    async def append(self, topic: str, decide: Callable[[], _Record]) -> _Record:
        """
        Append what `decide` makes of the directory as it is, and return when it is applied.

        `decide` may be called several times; what it raises is raised, and nothing was changed. Raises JournalError.
        """
        while True:
            last = await self._journal.last(topic)
            await self._projector.catch_up_first(last)
            record = decide()
            try:
                seq = await self._journal.append(topic, encode_record(record), expect_last=last)
            except JournalConflict:
                continue
            await self._projector.catch_up_first(seq)
            return record

    async def append_first(self, topic: str, record: Record) -> None:
        """Append `record` unless there has ever been one on `topic`. Raises JournalError."""
        try:
            seq = await self._journal.append(topic, encode_record(record), expect_last=0)
        except JournalConflict:
            return  # made at an earlier start, or by another node just now
        await self._projector.catch_up_first(seq)
