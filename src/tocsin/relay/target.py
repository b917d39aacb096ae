"""Where signals go: what it can hold, what its budget is, how it is told. Everything else is the same for all kinds."""

from collections.abc import Sequence
from typing import Protocol

from tocsin.relay.plan import Request, Telling
from tocsin.relay.ruling import Answer
from tocsin.relay.window import Window


class Target(Protocol):
    """One place that enforces what it is told. The only kind so far is an org (`okta_target`)."""

    @property
    def name(self) -> str:
        """What to call it in messages; no secret."""
        ...

    @property
    def subjects_per_request(self) -> int:
        """How many subjects one telling can hold."""
        ...

    @property
    def window(self) -> Window:
        """Its budget as far as it is known before the first answer."""
        ...

    def pack(self, tellings: Sequence[Telling], *, now_ms: int) -> Request:
        """The request that tells the best of `tellings` (at least one, best first, each IP once) that fit. Pure."""
        ...

    async def tell(self, request: Request) -> Answer:
        """Send one request, once. A failure is an answer too; raises only for what no request can ever mend."""
        ...
