"""What the org says about an IP: the decision, what it was made of, and what the policy makes of it."""

from typing import NamedTuple

from tocsin.org.assertions import Assertion
from tocsin.org.decision import Decision
from tocsin.org.policy import Ruling
from tocsin.org.providers import Provider


class Verdict(Decision, frozen=True):
    """All that is known about one IP."""

    ruling: Ruling
    """What the policy says."""
    providers: dict[str, Provider]
    """Those whose word is in it, by id."""
    messages: dict[str, str | None]
    """Why each says so, by provider id; None when it told none, its word expired, or the journal was trimmed, or
    did not tell it soon enough."""
    cursor: int
    """Seq of the last journal entry that is in it."""


class Weighed(NamedTuple):
    """What is done about one IP, without the explanation."""

    said: Assertion | None
    """The enforced assertion that decides; None when there is none."""
    ruling: Ruling
    cursor: int
    """Seq of the last journal entry that is in it."""
