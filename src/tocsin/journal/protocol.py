"""The journal: everything that must not be lost, in the order it was accepted. Knows nothing of what it carries."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from tocsin.errors import TocsinError

MAX_ENTRY_BYTES = 1008 * 1024  # and its envelope: a megabyte is the most that many carriers take
READ_LIMIT = 256
READ_BYTES = 16 * 1024 * 1024


class Entry(NamedTuple):
    """One appended record."""

    seq: int
    """At least 1, then growing; it may skip numbers, it never goes back."""
    topic: str
    body: bytes


class JournalError(TocsinError):
    """The journal cannot be opened, read or written. What was acknowledged before is still there."""


class JournalConflict(JournalError):
    """Another writer appended to the topic first. Nothing was written: read on from `last`, and decide again."""

    def __init__(self, topic: str, *, expected: int, last: int) -> None:
        self.topic, self.expected, self.last = topic, expected, last
        super().__init__(f"{topic}: expected its last entry to be {expected}, and it is {last}; nothing was written")


class JournalUnreachable(JournalError):
    """No quorum of a replicated journal answered. What was to be written may be there or not; nothing else is lost."""

    def __init__(self, what: str, *, seconds: float, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(
            f"{what}: no quorum of the journal's servers answered within {seconds:g} s ({why})",
            hint="look at the servers: more than half of them must run and see each other",
        )


class Journal(Protocol):
    """
    An append-only log that several processes may share.

    Every implementation passes the one suite in `tests/contract/test_journal.py`. All methods raise JournalError.
    """

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        """
        Add one entry; it is durable when this returns.

        Args:
            topic: what the entry is about: words of `a-z 0-9 - _`, any case, joined by dots.
            body: one encoded record, at most `MAX_ENTRY_BYTES`.
            expect_last: seq of the last entry on `topic`, 0 for none; None to not check.
        Returns: the seq of the new entry.
        Raises: JournalConflict, if `expect_last` is not the last; ValueError for a bad topic or too long a body.
        """
        ...

    async def last(self, topic: str | None = None) -> int:
        """
        The seq of the last entry, of `topic` or of the whole journal; 0 when there is none.

        Args:
            topic: with a dot at its end it is a branch, and the last of all its topics is meant: `risk.` for `risk.a`
                and `risk.a.b`.
        """
        ...

    async def get(self, seq: int) -> Entry | None:
        """The entry with exactly this seq, or None."""
        ...

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        """
        Entries with a seq beyond `after`, in order; empty when there is none yet.

        At most `limit`, and fewer when their bodies together exceed `READ_BYTES`, or when whoever is asked has not got
        more yet: only an empty list says "no more".
        Raises: ValueError for a limit below 1.
        """
        ...

    async def forget(self, topic: str, before: int) -> int:
        """
        Delete the entries of a topic with a seq below `before`, but keep its last one.

        So `last`, and what `expect_last` is compared with, stay what they were. It goes in small steps, and appends
        go on between them; after a crash some steps are done, in any order, and the rest can be asked for again.
        What was deleted makes room for new entries: a file does not shrink, and grows no further. On a replicated
        stream it is a purge of each subject up to a sequence.

        Args:
            topic: or a branch, as for `last`: then of all its topics, and the last entry of each is kept.
        Returns: how many entries were deleted.
        Raises: ValueError, if `topic` is neither.
        """
        ...

    def follow(self, after: int = 0) -> AsyncIterator[list[Entry]]:
        """Batches of entries beyond `after`, in order and without a gap, waiting for more; ends when closed."""
        ...

    def look(self) -> None:
        """Let followers look at once: another process says that it has appended."""
        ...

    async def close(self) -> None:
        """Finish what was asked before and let go of all resources. Closing twice is harmless."""
        ...
