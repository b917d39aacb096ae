"""A record of an input that became no signal, and why: nothing is left out without one of these."""

from enum import StrEnum

from msgspec import Struct

EXCERPT_CHARS = 60


class SkipReason(StrEnum):
    """Why a line became no signal; the value is the key in summaries and metrics."""

    BELOW_BANDS = "below_bands"
    """The source itself calls it too weak to act on."""
    NOT_GLOBAL = "not_global"
    """The address is private, loopback, for documentation: not one host on the Internet."""
    EXPIRED = "expired"
    """What was claimed has ended before it was read."""
    NOT_A_RECORD = "not_a_record"
    BAD_ADDRESS = "bad_address"
    BAD_LEVEL = "bad_level"
    BAD_MESSAGE = "bad_message"
    BAD_TIME = "bad_time"

    @property
    def broken(self) -> bool:
        """True when someone must mend the line, False when leaving it out is the rule."""
        return self not in _BY_RULE


_BY_RULE = {SkipReason.BELOW_BANDS, SkipReason.NOT_GLOBAL, SkipReason.EXPIRED}


class Skipped(Struct, frozen=True):
    """A record that became no signal."""

    reason: SkipReason
    line: int
    """Which record of its input, 1 for the first; for text it is the line."""
    detail: str
    """What is wrong and what would be right, in one sentence."""
    excerpt: str
    """The start of the record, as it stands there."""
