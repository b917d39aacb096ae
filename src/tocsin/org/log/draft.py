"""What is particular to one event of the System Log, before it gets what all events have. Pure.

A draft is cheap: `debug` makes the long strings, and is called only when the event is shown.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from tocsin.org.log.event import Actor, Outcome, Result, Risk, Severity, Target
from tocsin.org.records import Author, AuthorKind, Deed

MOST_EVENTS = 16
"""Of one journal entry."""
_ACTOR_TYPES = {
    AuthorKind.TOKEN: "Token",  # U: at Okta a token's user acts, and here a token has none
    AuthorKind.CLIENT: "PublicClientApp",
    AuthorKind.LOCAL: "SystemPrincipal",
    AuthorKind.ORG: "SystemPrincipal",
}
_SUCCESS = Outcome(Result.SUCCESS)


class Named(NamedTuple):
    """What something was called at some moment, and what it was set to."""

    name: str
    state: str = ""
    """A provider's action, a token's role; empty where nothing is kept."""


UNKNOWN = Named("unknown")
Known = Callable[[str], Named | None]
"""What the thing with an id was before the entry that is drafted; None when nothing had named it."""


class Caller(NamedTuple):
    """Where something was done from."""

    ip: str
    user_agent: str


class Draft(Struct, frozen=True, kw_only=True):
    """One event, as far as its kind decides it."""

    event_type: str
    message: str
    deed: Deed
    actor: Actor
    caller: Caller | None
    """None: not from anywhere, so there is no client."""
    targets: tuple[Target, ...] = ()
    outcome: Outcome = _SUCCESS
    severity: Severity = Severity.INFO
    legacy_type: str | None = None
    risk: Risk | None = None
    debug: Callable[[], dict[str, str]] = dict
    """What stands in `debugData` besides what always does."""


def drafted(
    deed: Deed,
    event_type: str,
    message: str,
    *targets: Target,
    actor: Actor | None = None,
    caller: Caller | None = None,
    outcome: Outcome = _SUCCESS,
    severity: Severity = Severity.INFO,
    legacy_type: str | None = None,
    risk: Risk | None = None,
    debug: Callable[[], dict[str, str]] = dict,
) -> Draft:
    """A draft of what `deed` did; `actor` and `caller` are the deed's own where none are given."""
    return Draft(
        event_type=event_type,
        message=message,
        deed=deed,
        actor=actor or actor_of(deed.author),
        caller=caller or caller_of(deed),
        targets=targets,
        outcome=outcome,
        severity=severity,
        legacy_type=legacy_type,
        risk=risk,
        debug=debug,
    )


def actor_of(author: Author) -> Actor:
    """The author of a deed as an actor."""
    return Actor(author.id, _ACTOR_TYPES[author.kind], author.id, author.name)


def caller_of(deed: Deed) -> Caller | None:
    """Where the request of a deed came from."""
    return None if deed.origin is None else Caller(deed.origin.ip, deed.origin.user_agent)
