"""Records of the journal's own upkeep, where several nodes have projections of it."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

TRIMMED_TOPIC = DIRECTORY_BRANCH + "trimmed"


class JournalTrimmed(Struct, frozen=True, tag_field="t", tag="journal.trimmed"):
    """From now on entries of what may be forgotten, before this seq, may be gone. What still held was said again."""

    deed: Deed
    before: int
