"""The journal: an append-only log of what must not be lost, and where it is kept."""

from tocsin.journal.copy import check_journal, copy_journal
from tocsin.journal.key_value import Kept, KeyValue, MemoryKeyValue
from tocsin.journal.memory import MemoryJournal
from tocsin.journal.protocol import (
    MAX_ENTRY_BYTES,
    READ_BYTES,
    READ_LIMIT,
    Entry,
    Journal,
    JournalConflict,
    JournalError,
    JournalUnreachable,
)
from tocsin.journal.sqlite import SqliteJournal

__all__ = [
    "MAX_ENTRY_BYTES",
    "READ_BYTES",
    "READ_LIMIT",
    "Entry",
    "Journal",
    "JournalConflict",
    "JournalError",
    "JournalUnreachable",
    "Kept",
    "KeyValue",
    "MemoryJournal",
    "MemoryKeyValue",
    "SqliteJournal",
    "check_journal",
    "copy_journal",
]
