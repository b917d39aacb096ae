"""An access token, and how long it is good for. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tocsin.okta.oauth.session import Session

RENEW_AFTER = 0.8
USE_UNTIL = 0.98
"""Parts of a token's life: when the next is fetched ahead of need, and when this one is used no more."""


class Life(NamedTuple):
    """From when to when a token is good, on our own clock: only its differences count, so it may be wrong."""

    fetched_at: datetime
    renew_at: datetime
    use_until: datetime

    @classmethod
    def of(cls, seconds: float, *, since: datetime) -> Life:
        """The life of a token asked for at `since`, which was before it was issued, that lasts for `seconds`."""
        # A year at most: a number from the wire must not take a date out of its range.
        life = timedelta(seconds=min(seconds, 365 * 86400))
        return cls(since, since + RENEW_AFTER * life, since + USE_UNTIL * life)


class AccessToken(NamedTuple):
    """What goes into an Authorization header, and what is known about it."""

    value: str
    scopes: frozenset[str] | None = None
    """The granted ones; None when nobody said."""
    life: Life | None = None
    """None when nobody said: such a token is used until it is refused."""
    session: Session | None = None
    """Makes the DPoP proofs that this token is bound to; None for a Bearer token."""

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return f"{'DPoP' if self.session else 'Bearer'} {self.value}"

    def is_usable(self, now: datetime) -> bool:
        """Whether it can still be sent."""
        return self.life is None or now < self.life.use_until

    def is_due(self, now: datetime) -> bool:
        """Whether the next one should be fetched, while this one is still good."""
        return self.life is not None and now >= self.life.renew_at

    def postponed(self, now: datetime) -> AccessToken:
        """The same, due when half the time it has left is over: what to keep when a renewal ahead of need failed."""
        if self.life is None:
            return self
        later = now + (self.life.use_until - now) / 2
        return self._replace(life=self.life._replace(renew_at=later))

    def grants(self, scope: str) -> bool:
        """Whether a call that needs `scope` can succeed; a `.manage` scope stands for its `.read` too."""
        if self.scopes is None or scope in self.scopes:
            return True
        resource, _, kind = scope.rpartition(".")
        return kind == "read" and f"{resource}.manage" in self.scopes

    def __repr__(self) -> str:
        return f"<AccessToken {'DPoP' if self.session else 'Bearer'}: {' '.join(sorted(self.scopes or ()))}>"
