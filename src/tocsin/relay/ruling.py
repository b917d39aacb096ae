"""What a target's answer means for the request it answers: the failure table, as a pure function.

202                        delivered
400, 413                   halve the request until the bad subject stands alone, then refuse that one
429                        the same again when the window has ended
408, 425, 5xx, no answer   the same again after a growing pause; who is not patient does so a bounded number of times
401                        the same again if the credential was fetched anew, else as below
403, anything else         stop: a person has to mend it
"""

from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec import Struct

from tocsin.relay.window import LENGTH, Allowance

BACKOFF_S = 1.0
BACKOFF_CAP_S = 60.0
TRIES = 6
TRIES_FIRST_CONTACT = 3
"""For a target that never answered at all: more likely a wrong address than a passing fault."""
LONGEST_AFTER_429 = LENGTH + timedelta(seconds=1)
"""Longer than a window is not to be believed; the second is for times told in whole seconds."""
LONGEST_RETRY_AFTER = timedelta(minutes=5)
_TRY_AGAIN = {408, 425}
_TOO_BIG_OR_BAD = {400, 413}


class Failure(Enum):
    """Why there was no answer."""

    PASSING = auto()
    """Refused, reset, timed out, host not found: another try may go well."""
    LASTING = auto()
    """Such as a certificate that is not trusted: no try will."""


class Answer(Struct, frozen=True):
    """What came back for one request."""

    status: int | None
    """HTTP status; None when no answer came."""
    reason: str = ""
    """The target's own words, or what happened on the way. No secret."""
    remedy: str = ""
    """What a person can do about it, if this stops the sending."""
    allowance: Allowance = Allowance()
    retry_in: timedelta | None = None
    """How long the target asks to wait before the next try; None when it does not say."""
    failure: Failure = Failure.PASSING
    """Only for a `status` of None."""
    sent: bool = True
    """False when the request never left: there was no access token to be had, for example."""
    renewed: bool = False
    """Whether the next request will show another credential; only for a `status` of 401."""


class Delivered(Struct, frozen=True):
    """The target has taken every signal of the request."""


class SendAgain(Struct, frozen=True):
    """Send the same signals again, not before `at`."""

    at: datetime
    why: str


class Bisect(Struct, frozen=True):
    """Send each half on its own: something in the request is bad."""


class Quarantine(Struct, frozen=True):
    """The one signal in the request is refused; sending it again will not help."""

    reason: str


class PauseTarget(Struct, frozen=True):
    """Stop sending; what was not delivered waits."""

    reason: str
    """What happened, such as `it answered 401: ...`."""
    remedy: str


Ruling = Delivered | SendAgain | Bisect | Quarantine | PauseTarget


def rule(
    answer: Answer, *, subjects: int, tries: int, known: bool, patient: bool, now: datetime, draw: float
) -> Ruling:
    """
    What to do with a request after `answer`.

    Args:
        subjects: how many the request holds.
        tries: how often it has been sent, this time included.
        known: whether the target has ever answered anything.
        patient: True to wait for as long as it takes for what may pass.
        draw: a number from 0 to 1 that spreads the pauses of many senders.
    """
    if answer.status == 202:
        return Delivered()
    if answer.status in _TOO_BIG_OR_BAD:
        return Bisect() if subjects > 1 else Quarantine(_what(answer))
    if answer.status == 401 and answer.renewed:
        return SendAgain(now, "the credential was fetched anew")
    if not _passes(answer):
        return PauseTarget(_what(answer), answer.remedy)
    if not patient and tries >= (TRIES if known else TRIES_FIRST_CONTACT):
        return PauseTarget(f"{_what(answer)} ({tries} tries)", answer.remedy)
    return SendAgain(now + _pause(answer, tries, draw), _what(answer))


def in_words(ruling: Ruling) -> str:
    """What the answer came to, in a word or in the target's own."""
    match ruling:
        case Delivered():
            return "delivered"
        case SendAgain(why=why):
            return why
        case Bisect():
            return "it refuses something in the request"
        case Quarantine(reason=reason) | PauseTarget(reason=reason):
            return reason


def _passes(answer: Answer) -> bool:
    if answer.status is None:
        return answer.failure is Failure.PASSING
    return answer.status == 429 or answer.status in _TRY_AGAIN or 500 <= answer.status <= 599


def _pause(answer: Answer, tries: int, draw: float) -> timedelta:
    if answer.status == 429:
        return min(answer.retry_in or LONGEST_AFTER_429, LONGEST_AFTER_429)
    # Clamp the exponent, not the result: 2.0**1024 raises OverflowError, it is not "very long".
    growing_s = min(BACKOFF_CAP_S, BACKOFF_S * 2.0 ** min(tries - 1, 30)) * (0.5 + draw / 2)
    return max(timedelta(seconds=growing_s), min(answer.retry_in or timedelta(0), LONGEST_RETRY_AFTER))


def _what(answer: Answer) -> str:
    if answer.status is None:
        return answer.reason
    return f"it answered {answer.status}: {answer.reason}" if answer.reason else f"it answered {answer.status}"
