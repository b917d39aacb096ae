"""A record of an input that became no signal, and why: nothing is left out without one of these."""

from enum import StrEnum

from msgspec import Struct

EXCERPT_CHARS = 60


class SkipReason(StrEnum):
    """Why a record became no signal; the value is the key in summaries and metrics."""

    BELOW_BANDS = "below_bands"
    """The source itself calls it too weak to act on."""
    NO_CLAIM = "no_claim"
    """It says nothing against an address: no alert, an allowed request, a finding that was closed."""
    NO_LEVEL = "no_level"
    """Its kind or severity stands in no table of the format."""
    NO_ADDRESS = "no_address"
    """It holds no address of an attacker, or speaks of a country, a network's number or a domain."""
    NOT_GLOBAL = "not_global"
    """The address is private, loopback, for documentation: not one host on the Internet."""
    OWN = "own"
    """The address is one of our own networks or proxies."""
    ALLOW_LISTED = "allow_listed"
    """The address stands in an allow-list."""
    NETWORK_TOO_LARGE = "network_too_large"
    """A network of more addresses than may be signalled one by one."""
    EXPIRED = "expired"
    """What was claimed has ended before it was read."""
    NOT_YET = "not_yet"
    """Observed later than the time as of which an input is read."""
    NOT_A_RECORD = "not_a_record"
    BAD_ADDRESS = "bad_address"
    BAD_LEVEL = "bad_level"
    BAD_MESSAGE = "bad_message"
    BAD_TIME = "bad_time"
    TOO_LONG = "too_long"
    """A record beyond the size that is read."""
    CUT_OFF = "cut_off"
    """The input breaks off in the middle."""

    @property
    def broken(self) -> bool:
        """True when someone must mend the record, False when leaving it out is the rule."""
        return self in _BROKEN


_BROKEN = {
    SkipReason.NOT_A_RECORD,
    SkipReason.BAD_ADDRESS,
    SkipReason.BAD_LEVEL,
    SkipReason.BAD_MESSAGE,
    SkipReason.BAD_TIME,
    SkipReason.TOO_LONG,
    SkipReason.CUT_OFF,
}


class Skipped(Struct, frozen=True, gc=False):
    """A record that became no signal."""

    reason: SkipReason
    line: int
    """Which record of its input, 1 for the first; for text it is the line."""
    detail: str
    """What is wrong and what would be right, in one sentence."""
    excerpt: str
    """The start of the record, as it stands there."""
